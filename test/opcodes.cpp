// test/opcodes.cpp: opcodes that have no typed function of their own.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "submit_fixture.hpp"

#include <linux/futex.h>
#include <linux/openat2.h>
#include <set>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <thread>

using namespace test;
using namespace asio_uring;
using asio::use_awaitable;
namespace errc = boost::system::errc;

namespace {

/// A listening TCP socket and its address.
struct listening
{
  int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  socklen_t length = sizeof(address);
  listening()
  {
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    BOOST_REQUIRE_EQUAL(::bind(fd, reinterpret_cast<sockaddr*>(&address), length), 0);
    BOOST_REQUIRE_EQUAL(::listen(fd, 16), 0);
    ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length);
  }
  ~listening() { ::close(fd); }
  sockaddr* name() { return reinterpret_cast<sockaddr*>(&address); }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(opcodes, scratch_context)

BOOST_AUTO_TEST_CASE(reads_and_writes_of_every_form)
{
  const unique_descriptor file(::open(path("file").c_str(), O_RDWR | O_CREAT, 0600));
  char back[8] = {};
  iovec out{const_cast<char*>("abcd"), 4}, in{back + 4, 4};
  run([&]() -> asio::awaitable<void> {
    int n = co_await async_submit(
        context, [&](io_uring_sqe& s) { io_uring_prep_write(&s, file.get(), "wxyz", 4, 0); }, use_awaitable);
    BOOST_TEST(n == 4);
    n = co_await async_submit(
        context, [&](io_uring_sqe& s) { io_uring_prep_writev(&s, file.get(), &out, 1, 4); }, use_awaitable);
    BOOST_TEST(n == 4);
    n = co_await async_submit(
        context, [&](io_uring_sqe& s) { io_uring_prep_read(&s, file.get(), back, 4, 0); }, use_awaitable);
    BOOST_TEST(n == 4);
    n = co_await async_submit(
        context, [&](io_uring_sqe& s) { io_uring_prep_readv(&s, file.get(), &in, 1, 4); }, use_awaitable);
    BOOST_TEST(n == 4);
  }());
  BOOST_TEST(std::string_view(back, 8) == "wxyzabcd");
}

BOOST_AUTO_TEST_CASE(registered_buffers)
{
  const unique_descriptor file(::open(path("file").c_str(), O_RDWR | O_CREAT, 0600));
  const aligned_block block(8192);
  const iovec memory{block.data, 8192};
  BOOST_REQUIRE_EQUAL(io_uring_register(ring_descriptor(context), IORING_REGISTER_BUFFERS, &memory, 1), 0);
  std::memcpy(block.data, "fixed", 5);
  const bool vectored = kernel_has(opcode::readv_fixed);
  run([&]() -> asio::awaitable<void> {
    int n = co_await async_submit(
        context, [&](io_uring_sqe& s) { io_uring_prep_write_fixed(&s, file.get(), block.data, 5, 0, 0); },
        use_awaitable);
    BOOST_TEST(n == 5);
    n = co_await async_submit(
        context,
        [&](io_uring_sqe& s) { io_uring_prep_read_fixed(&s, file.get(), block.data + 4096, 5, 0, 0); },
        use_awaitable);
    BOOST_TEST(n == 5);
    BOOST_TEST(std::string_view(block.data + 4096, 5) == "fixed");
    // This memory was not registered.
    char elsewhere[5];
    auto [ec, r] = co_await async_submit(
        context, [&](io_uring_sqe& s) { io_uring_prep_read_fixed(&s, file.get(), elsewhere, 5, 0, 0); }, aw);
    BOOST_TEST(ec == errc::bad_address);
    if (!vectored) co_return;
    iovec out{block.data, 5}, in{block.data + 100, 5};
    n = co_await async_submit(
        context, [&](io_uring_sqe& s) { fill(s, opcode::writev_fixed, file.get(), &out, 1, 5); },
        use_awaitable);
    BOOST_TEST(n == 5);
    n = co_await async_submit(
        context, [&](io_uring_sqe& s) { fill(s, opcode::readv_fixed, file.get(), &in, 1, 5); },
        use_awaitable);
    BOOST_TEST(n == 5);
    BOOST_TEST(std::string_view(block.data + 100, 5) == "fixed");
  }());
}

BOOST_AUTO_TEST_CASE(files_update_and_fixed_files)
{
  const std::string name = write_file("file", "data");
  int slots[2] = {-1, -1};
  BOOST_REQUIRE_EQUAL(io_uring_register(ring_descriptor(context), IORING_REGISTER_FILES, slots, 2), 0);
  const bool installs = kernel_has(opcode::fixed_fd_install);
  run([&]() -> asio::awaitable<void> {
    int fd = ::open(name.c_str(), O_RDONLY);
    const int updated = co_await async_submit(
        context, [&](io_uring_sqe& s) { io_uring_prep_files_update(&s, &fd, 1, 1); }, use_awaitable);
    BOOST_TEST(updated == 1);
    ::close(fd);
    char data[4];
    const int n = co_await async_submit(
        context,
        [&](io_uring_sqe& s) {
          io_uring_prep_read(&s, 1, data, 4, 0);
          s.flags = IOSQE_FIXED_FILE;
        },
        use_awaitable);
    BOOST_TEST(n == 4);
    BOOST_TEST(std::string_view(data, 4) == "data");
    if (!installs) co_return;
    const unique_descriptor installed = co_await async_submit<unique_descriptor>(
        context,
        [](io_uring_sqe& s) {
          fill(s, opcode::fixed_fd_install, 1, nullptr, 0, 0);
          s.flags = IOSQE_FIXED_FILE;
        },
        use_awaitable);
    BOOST_TEST(::pread(installed.get(), data, 4, 0) == 4);
  }());
}

BOOST_AUTO_TEST_CASE(provided_buffers_tell_which_one_was_taken)
{
  struct taken
  {
    unsigned flags = 0;
    void completed(int, unsigned f) { flags = f; }
  };
  socket_pair sockets;
  char buffers[4][64];
  run([&]() -> asio::awaitable<void> {
    co_await async_submit(
        context, [&](io_uring_sqe& s) { io_uring_prep_provide_buffers(&s, buffers, 64, 4, 9, 0); },
        use_awaitable);
    BOOST_REQUIRE_EQUAL(::write(sockets.b, "data", 4), 4);
    auto [ec, n, t] = co_await async_submit(
        context, taken(),
        [&](io_uring_sqe& s, taken&) {
          io_uring_prep_recv(&s, sockets.a, nullptr, 64, 0);
          s.flags = IOSQE_BUFFER_SELECT;
          s.buf_group = 9;
        },
        aw);
    BOOST_TEST(!ec);
    BOOST_TEST(n == 4);
    BOOST_TEST((t.flags & IORING_CQE_F_BUFFER));
    BOOST_TEST(std::string_view(buffers[t.flags >> IORING_CQE_BUFFER_SHIFT], 4) == "data");
    const int removed = co_await async_submit(
        context, [](io_uring_sqe& s) { io_uring_prep_remove_buffers(&s, 4, 9); }, use_awaitable);
    BOOST_TEST(removed == 3);
  }());
}

BOOST_AUTO_TEST_CASE(sockets_from_socket_to_shutdown)
{
  if (!kernel_has(IORING_OP_SOCKET)) return;
  listening server;
  run([&]() -> asio::awaitable<void> {
    const unique_descriptor client = co_await async_submit<unique_descriptor>(
        context, [](io_uring_sqe& s) { io_uring_prep_socket(&s, AF_INET, SOCK_STREAM, 0, 0); },
        use_awaitable);
    co_await async_submit(
        context,
        [&](io_uring_sqe& s) { io_uring_prep_connect(&s, client.get(), server.name(), server.length); },
        use_awaitable);
    const unique_descriptor peer = co_await async_submit<unique_descriptor>(
        context, [&](io_uring_sqe& s) { io_uring_prep_accept(&s, server.fd, nullptr, nullptr, 0); },
        use_awaitable);
    int n = co_await async_submit(
        context, [&](io_uring_sqe& s) { io_uring_prep_send(&s, client.get(), "ab", 2, 0); }, use_awaitable);
    BOOST_TEST(n == 2);
    char data[4];
    iovec more{const_cast<char*>("cd"), 2}, in{data + 2, 2};
    msghdr out_message{}, in_message{};
    out_message.msg_iov = &more, out_message.msg_iovlen = 1;
    in_message.msg_iov = &in, in_message.msg_iovlen = 1;
    n = co_await async_submit(
        context, [&](io_uring_sqe& s) { io_uring_prep_recv(&s, peer.get(), data, 2, 0); }, use_awaitable);
    BOOST_TEST(n == 2);
    n = co_await async_submit(
        context, [&](io_uring_sqe& s) { io_uring_prep_sendmsg(&s, client.get(), &out_message, 0); },
        use_awaitable);
    BOOST_TEST(n == 2);
    n = co_await async_submit(
        context, [&](io_uring_sqe& s) { io_uring_prep_recvmsg(&s, peer.get(), &in_message, 0); },
        use_awaitable);
    BOOST_TEST(n == 2);
    BOOST_TEST(std::string_view(data, 4) == "abcd");
    co_await async_submit(
        context, [&](io_uring_sqe& s) { io_uring_prep_shutdown(&s, client.get(), SHUT_WR); }, use_awaitable);
    n = co_await async_submit(
        context, [&](io_uring_sqe& s) { io_uring_prep_recv(&s, peer.get(), data, 2, 0); }, use_awaitable);
    BOOST_TEST(n == 0);
  }());
}

BOOST_AUTO_TEST_CASE(bind_and_listen)
{
  if (!kernel_has(opcode::bind)) return;
  const unique_descriptor acceptor(::socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  run([&]() -> asio::awaitable<void> {
    co_await async_submit(
        context,
        [&](io_uring_sqe& s) { fill(s, opcode::bind, acceptor.get(), &address, 0, sizeof(address)); },
        use_awaitable);
    co_await async_submit(
        context, [&](io_uring_sqe& s) { fill(s, opcode::listen, acceptor.get(), nullptr, 4, 0); },
        use_awaitable);
  }());
  socklen_t length = sizeof(address);
  ::getsockname(acceptor.get(), reinterpret_cast<sockaddr*>(&address), &length);
  const unique_descriptor client(::socket(AF_INET, SOCK_STREAM, 0));
  BOOST_TEST(::connect(client.get(), reinterpret_cast<sockaddr*>(&address), length) == 0);
}

BOOST_AUTO_TEST_CASE(a_zero_copy_send_completes_when_its_buffer_is_free)
{
  if (!kernel_has(IORING_OP_SEND_ZC)) return;
  const bool sends_messages = kernel_has(IORING_OP_SENDMSG_ZC);
  listening server;
  const unique_descriptor client(::socket(AF_INET, SOCK_STREAM, 0));
  BOOST_REQUIRE_EQUAL(::connect(client.get(), server.name(), server.length), 0);
  const unique_descriptor peer(::accept(server.fd, nullptr, nullptr));
  // The kernel needs the buffer until all of it was received; older kernels, until the peer has read it.
  std::string got, sent;
  std::thread reader([&] {
    std::array<char, 4096> part;
    for (ssize_t n; (n = ::recv(peer.get(), part.data(), part.size(), 0)) > 0;)
      got.append(part.data(), static_cast<std::size_t>(n));
  });
  run([&]() -> asio::awaitable<void> {
    auto [ec, n, text] = co_await async_submit(
        context, std::vector<char>(100'000, 'z'),
        [&](io_uring_sqe& s, std::vector<char>& text) {
          io_uring_prep_send_zc(&s, client.get(), text.data(), text.size(), 0, 0);
        },
        aw);
    BOOST_TEST(!ec);
    BOOST_TEST(n > 0);
    sent.append(text.data(), static_cast<std::size_t>(n));

    if (!sends_messages) co_return;
    iovec piece{text.data(), 100};
    msghdr message{};
    message.msg_iov = &piece, message.msg_iovlen = 1;
    auto [message_ec, m] = co_await async_submit(
        context, [&](io_uring_sqe& s) { io_uring_prep_sendmsg_zc(&s, client.get(), &message, 0); }, aw);
    BOOST_TEST(!message_ec);
    BOOST_TEST(m == 100);
    sent.append(text.data(), 100);
    // Errors also have a notification.
    auto [bad, r] = co_await async_submit(
        context, [&](io_uring_sqe& s) { io_uring_prep_send_zc(&s, -1, "x", 1, 0, 0); }, aw);
    BOOST_TEST(bad == asio::error::bad_descriptor);
  }());
  ::shutdown(client.get(), SHUT_RDWR);
  reader.join();
  BOOST_TEST((got == sent));
}

BOOST_AUTO_TEST_CASE(openat2)
{
  write_file("file", "data");
  const unique_descriptor directory(::open(path(".").c_str(), O_RDONLY | O_DIRECTORY));
  struct payload
  {
    std::string name;
    open_how how{};
  };
  const auto open = [&](io_uring_sqe& s, payload& p) {
    p.how.flags = O_RDONLY;
    p.how.resolve = RESOLVE_BENEATH;
    io_uring_prep_openat2(&s, directory.get(), p.name.c_str(), &p.how);
  };
  run([&]() -> asio::awaitable<void> {
    payload inside{"file"}, outside{"/dev/null"};
    auto [ec, file, p] = co_await async_submit<unique_descriptor>(context, std::move(inside), open, aw);
    BOOST_TEST(!ec);
    BOOST_TEST(file.get() >= 0);
    auto [beyond, none, q] = co_await async_submit<unique_descriptor>(context, std::move(outside), open, aw);
    BOOST_TEST(beyond == errc::cross_device_link);
    BOOST_TEST(!none);
  }());
}

BOOST_AUTO_TEST_CASE(epoll_ctl_and_epoll_wait)
{
  socket_pair sockets;
  const unique_descriptor set(::epoll_create1(0));
  const bool waits = kernel_has(opcode::epoll_wait);
  run([&]() -> asio::awaitable<void> {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u32 = 5;
    co_await async_submit(
        context,
        [&](io_uring_sqe& s) { io_uring_prep_epoll_ctl(&s, set.get(), sockets.a, EPOLL_CTL_ADD, &event); },
        use_awaitable);
    BOOST_REQUIRE_EQUAL(::write(sockets.b, "x", 1), 1);
    epoll_event happened[4] = {};
    int n;
    if (waits)
      n = co_await async_submit(
          context, [&](io_uring_sqe& s) { fill(s, opcode::epoll_wait, set.get(), happened, 4, 0); },
          use_awaitable);
    else
      n = ::epoll_wait(set.get(), happened, 4, 1000);
    BOOST_TEST(n == 1);
    BOOST_TEST((happened[0].data.u32 == 5u));
  }());
}

BOOST_AUTO_TEST_CASE(msg_ring_to_another_ring)
{
  if (!kernel_has(IORING_OP_MSG_RING)) return;
  asio_uring::ring other;
  run([&]() -> asio::awaitable<void> {
    co_await async_submit(
        context, [&](io_uring_sqe& s) { io_uring_prep_msg_ring(&s, other.fd(), 17, 4711, 0); },
        use_awaitable);
  }());
  int seen = 0;
  other.submit();
  other.consume_completions([&](const io_uring_cqe& cqe) { seen += cqe.res == 17 && cqe.user_data == 4711; });
  BOOST_TEST(seen == 1);
}

BOOST_AUTO_TEST_CASE(uring_cmd_asks_a_socket)
{
  if (!kernel_has(IORING_OP_URING_CMD)) return;
  listening server;
  const unique_descriptor client(::socket(AF_INET, SOCK_STREAM, 0));
  BOOST_REQUIRE_EQUAL(::connect(client.get(), server.name(), server.length), 0);
  const unique_descriptor peer(::accept(server.fd, nullptr, nullptr));
  BOOST_REQUIRE_EQUAL(::write(client.get(), "12345", 5), 5);
  pollfd p{peer.get(), POLLIN, 0};
  ::poll(&p, 1, 5000);
  run([&]() -> asio::awaitable<void> {
    auto [ec, waiting] = co_await async_submit(
        context,
        [&](io_uring_sqe& s) { fill(s, IORING_OP_URING_CMD, peer.get(), nullptr, 0, 0 /* SIOCINQ */); }, aw);
    // Before 6.7, sockets support no commands.
    BOOST_TEST((ec == asio::error::operation_not_supported || waiting == 5), ec.message());
  }());
}

BOOST_AUTO_TEST_CASE(waitid_waits_for_a_child)
{
  if (!kernel_has(opcode::waitid)) return;
  const pid_t child = ::fork();
  if (child == 0) {
    ::usleep(20'000);
    ::_exit(3);
  }
  siginfo_t info{};
  run([&]() -> asio::awaitable<void> {
    const int result = co_await async_submit(
        context,
        [&](io_uring_sqe& s) {
          fill(s, opcode::waitid, child, nullptr, P_PID, reinterpret_cast<std::uintptr_t>(&info));
          s.file_index = WEXITED;
        },
        use_awaitable);
    BOOST_TEST(result == 0);
  }());
  BOOST_TEST(info.si_pid == child);
  BOOST_TEST(info.si_status == 3);
}

BOOST_AUTO_TEST_CASE(futexes_wait_and_wake)
{
  if (!kernel_has(opcode::futex_wake) || !kernel_has(opcode::futex_waitv)) return;
  constexpr int size_u32_private = 2 | 128;
  struct waitv
  {
    std::uint64_t value, address;
    std::uint32_t flags, reserved;
  };
  std::uint32_t word = 1;
  const auto wait = [&](std::uint64_t expected) {
    return [&, expected](io_uring_sqe& s) {
      fill(s, opcode::futex_wait, size_u32_private, &word, 0, expected);
      s.addr3 = FUTEX_BITSET_MATCH_ANY;
    };
  };
  outcome woken, vector_woken;
  async_submit(context, wait(1), [&](error_code ec, int) { woken.record()(ec); });
  async_submit(
      context, waitv{1, reinterpret_cast<std::uintptr_t>(&word), size_u32_private, 0},
      [](io_uring_sqe& s, waitv& v) { fill(s, opcode::futex_waitv, 0, &v, 1, 0); },
      [&](error_code ec, int, waitv) { vector_woken.record()(ec); });
  settle(context);
  BOOST_TEST(!woken.done());
  BOOST_TEST(!vector_woken.done());
  run([&]() -> asio::awaitable<void> {
    auto [other_value, r] = co_await async_submit(context, wait(2), aw);
    BOOST_TEST(other_value == errc::resource_unavailable_try_again);
    const int n = co_await async_submit(
        context,
        [&](io_uring_sqe& s) {
          fill(s, opcode::futex_wake, size_u32_private, &word, 0, 10);
          s.addr3 = FUTEX_BITSET_MATCH_ANY;
        },
        use_awaitable);
    BOOST_TEST(n == 2);
  }());
  CHECK_SUCCEEDED(woken);
  CHECK_SUCCEEDED(vector_woken);
}

BOOST_AUTO_TEST_CASE(pipe_makes_two_descriptors)
{
  if (!kernel_has(opcode::pipe)) return;
  struct ends
  {
    int fd[2] = {-1, -1};
  };
  run([&]() -> asio::awaitable<void> {
    auto [ec, result, made] = co_await async_submit(
        context, ends(), [](io_uring_sqe& s, ends& e) { fill(s, opcode::pipe, 0, e.fd, 0, 0); }, aw);
    BOOST_TEST(!ec);
    const unique_descriptor reads(made.fd[0]), writes(made.fd[1]);
    BOOST_TEST(::write(writes.get(), "x", 1) == 1);
    char data;
    BOOST_TEST(::read(reads.get(), &data, 1) == 1);
  }());
}

BOOST_AUTO_TEST_SUITE_END()
