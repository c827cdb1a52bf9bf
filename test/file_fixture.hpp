// test/file_fixture.hpp: common parts of the tests of files.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_FILE_FIXTURE_HPP
#define ASIO_URING_TEST_FILE_FIXTURE_HPP

#include "child.hpp"
#include "fixture.hpp"

#include <asio_uring/asio_uring.hpp>
#include <asio_uring/file_system.hpp>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <sstream>

namespace test {

inline constexpr auto read_only = asio::file_base::read_only;
inline constexpr auto read_write = asio::file_base::read_write;
inline constexpr auto aw = asio::as_tuple(asio::use_awaitable);
inline constexpr auto nop = [](io_uring_sqe& sqe) { io_uring_prep_nop(&sqe); };

/// A precondition of tests of what the fallback does in another way: a wait's opcode, a request's memory.
inline boost::test_tools::assertion_result on_kernel_ring(boost::unit_test::test_unit_id)
{
  return with_kernel_ring();
}

/// Forks after operations were started; then both processes run the context to the end of its work. `ended()`
/// must hold in both.
template <class Ended>
void fork_and_finish(asio::io_context& context, Ended ended)
{
  context.notify_fork(asio::io_context::fork_prepare);
  const pid_t child = ::fork();
  if (child == 0)
    exit_with([&] {
      context.notify_fork(asio::io_context::fork_child);
      finish(context);
      return ended() ? 0 : 1;
    });
  context.notify_fork(asio::io_context::fork_parent);
  finish(context);
  BOOST_TEST(ended());
  BOOST_TEST(exit_code_of(child) == 0);
}

/// A directory of the test's own, removed with its contents. It is not in /tmp, which may be in memory:
/// direct I/O and extended attributes need a real file system.
class scratch_directory
{
  std::string directory_ = "/var/tmp/asio_uring_test.XXXXXX";

public:
  scratch_directory() { BOOST_REQUIRE(::mkdtemp(directory_.data())); }
  ~scratch_directory() { std::filesystem::remove_all(directory_); }
  scratch_directory(const scratch_directory&) = delete;

  std::string path(const std::string& name) const { return directory_ + "/" + name; }

  std::string write_file(const std::string& name, const std::string& text) const
  {
    std::ofstream(path(name), std::ios::binary) << text;
    return path(name);
  }
};

inline std::string read_file(const std::string& name)
{
  std::ostringstream text;
  text << std::ifstream(name, std::ios::binary).rdbuf();
  return text.str();
}

inline std::string contents(asio::random_access_file& file)
{
  std::string all(file.size(), '\0');
  asio::read_at(file, 0, asio::buffer(all));
  return all;
}

/// Memory that is aligned for direct I/O.
struct aligned_block
{
  char* data;
  explicit aligned_block(std::size_t size) : data(static_cast<char*>(std::aligned_alloc(4096, size))) {}
  ~aligned_block() { std::free(data); }
  aligned_block(const aligned_block&) = delete;
};

/// A precondition: the test changes its effective user, so it must run as root.
inline boost::test_tools::assertion_result as_root(boost::unit_test::test_unit_id)
{
  return ::geteuid() == 0;
}

/// A scratch directory and a context.
struct scratch_context : scratch_directory
{
  asio::io_context context;

  /// Whether the kernel has the opcode. If not, checks that submitting it reports that.
  bool kernel_has(std::uint8_t op)
  {
    asio_uring::ring_descriptor(context);
    if (asio_uring::backend(context).features.opcode(op)) return true;
    outcome refused;
    asio_uring::async_submit(
        context, [op](io_uring_sqe& sqe) { sqe.opcode = op; },
        [&](error_code ec, int) { refused.record()(ec); });
    finish(context);
    CHECK_FAILED(refused, asio::error::operation_not_supported);
    return false;
  }

  /// Runs a coroutine to its end; what it throws fails the test.
  void run(asio::awaitable<void> body)
  {
    std::exception_ptr failed;
    asio::co_spawn(context, std::move(body), [&](std::exception_ptr e) { failed = e; });
    finish(context);
    if (failed) std::rethrow_exception(failed);
  }
};

} // namespace test

#endif
