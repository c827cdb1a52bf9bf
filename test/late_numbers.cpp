// test/late_numbers.cpp: the number of a closed file is reused at once, and entries that name it are looked
// up late.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "file_fixture.hpp"

#include <asio_uring/chain.hpp>
#include <asio_uring/ring/emulated_kernel.hpp>
#include <map>
#include <sys/eventfd.h>
#include <thread>

using namespace test;
using asio::random_access_file;

namespace {

const auto new_file = asio::file_base::read_write | asio::file_base::create | asio::file_base::truncate;

struct victim_of_a_chain : scratch_context
{
  random_access_file file{context, path("file"), new_file};
  const std::string victim = write_file("victim", "precious");
  outcome done;
  static constexpr char evil[] = "EVIL!!!!";

  void close_behind_a_sync(bool hard_linked)
  {
    // A write cannot be ended once it has begun; the more there is to write, the longer it takes.
    const std::string much(32 << 20, 'x');
    for (std::uint64_t i = 0; i < 4; ++i)
      asio::write_at(file, i * much.size(), asio::buffer(much));
    auto chain = asio_uring::chain(file);
    chain.fdatasync(file);
    if (hard_linked) chain.hardlink();
    chain.write_at(file, 0, asio::buffer(evil, 8)).async_run([this](error_code e, std::vector<int>) {
      done.record()(e);
    });
    context.run_for(5ms);
    close_and_reuse();
  }
  /// Closes the file, and opens the victim until it has the file's number. Then the chain ends.
  void close_and_reuse()
  {
    const int number = file.native_handle();
    file.close();
    std::vector<int> opened;
    do
      opened.push_back(::open(victim.c_str(), O_RDWR | O_CLOEXEC));
    while (opened.back() >= 0 && opened.back() < number);
    finish(context);
    BOOST_TEST(done.calls == 1);
    BOOST_TEST(read_file(victim) == "precious");
    for (const int fd : opened) {
      BOOST_TEST((::fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDWR); // it has not been closed
      ::close(fd);
    }
    // And now the number is free.
    const int next = ::open(victim.c_str(), O_RDWR | O_CLOEXEC);
    BOOST_TEST(next <= number);
    ::close(next);
  }
};

/// A kernel before 5.19, which takes no entries while completions are not collected (EBUSY). It performs
/// sends as it takes them; everything else waits until it is cancelled.
class busy_kernel final : public asio_uring::emulated_kernel
{
public:
  explicit busy_kernel(std::shared_ptr<const bool> busy) : emulated_kernel(64, 64), busy_(busy)
  {
    features_.opcodes.set();
  }
  ~busy_kernel() { ::close(event_); }
  int enter(unsigned, const __kernel_timespec*) noexcept override
  {
    ::eventfd_write(event_, 1); // signals that there is something to collect
    if (*busy_) return -EBUSY;
    return static_cast<int>(take_entries([&](const io_uring_sqe& entry) { take(entry); }));
  }
  int fd() noexcept override { return event_; }

private:
  void take(const io_uring_sqe& entry)
  {
    const auto address = reinterpret_cast<void*>(static_cast<std::uintptr_t>(entry.addr));
    if (entry.opcode == IORING_OP_SENDMSG) {
      const auto sent = ::sendmsg(entry.fd, static_cast<const msghdr*>(address), MSG_NOSIGNAL);
      post(entry.user_data, sent < 0 ? -errno : static_cast<int>(sent), 0);
    } else if (entry.opcode == IORING_OP_ASYNC_CANCEL) {
      if (waiting_.erase(entry.addr)) post(entry.addr, -ECANCELED, 0);
      post(entry.user_data, 0, 0);
    } else
      waiting_[entry.user_data] = entry.opcode;
  }

  const std::shared_ptr<const bool> busy_;
  const int event_ = ::eventfd(0, EFD_CLOEXEC);
  std::map<std::uint64_t, int> waiting_;
};

} // namespace

BOOST_AUTO_TEST_SUITE(late_numbers)

BOOST_FIXTURE_TEST_CASE(a_chain_does_not_go_on_to_another_file_that_has_the_number, victim_of_a_chain)
{
  close_behind_a_sync(false);
}

BOOST_FIXTURE_TEST_CASE(a_hard_linked_chain_does_not_go_on_to_another_file_that_has_the_number,
                        victim_of_a_chain)
{
  close_behind_a_sync(true);
}

BOOST_AUTO_TEST_CASE(what_a_busy_kernel_has_not_taken_does_not_reach_who_has_the_number_then)
{
  if (with_fallback()) return; // it cannot be replaced by another kernel
  asio::io_context context;
  asio_uring::options o;
  const auto busy = std::make_shared<bool>(false);
  o.kernel = [busy] { return std::make_unique<busy_kernel>(busy); };
  asio_uring::use_io_uring(context, o);
  pair<local> old(context), next(context);
  next.client.close();
  next.server.close();
  static constexpr std::array<std::string_view, 2> secret{"for the old one's ", "peer"};
  outcome written;
  asio::post(context, [&] {
    *busy = true;
    const std::array<asio::const_buffer, 2> buffers{asio::buffer(secret[0]), asio::buffer(secret[1])};
    old.client.async_write_some(buffers, written.record());
    old.client.close();
    asio::local::connect_pair(next.client, next.server);
    *busy = false;
  });
  settle(context);
  char got[64];
  BOOST_TEST(::recv(next.server.native_handle(), got, sizeof(got), MSG_DONTWAIT) < 0);
  finish(context);
  BOOST_TEST(written.calls == 1);
}

BOOST_AUTO_TEST_SUITE_END()
