// file_system.cpp: asynchronous file system functions: opening, naming, synchronizing, splicing.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "file_fixture.hpp"

#include <future>
#include <sys/stat.h>
#include <sys/xattr.h>

using namespace test;
using namespace asio_uring;
using asio::use_awaitable;
using boost::system::errc::make_error_code;
namespace fs = std::filesystem;
namespace errc = boost::system::errc;

BOOST_FIXTURE_TEST_SUITE(file_system, scratch_context)

BOOST_AUTO_TEST_CASE(a_file_object_is_opened_and_closed)
{
  run([&]() -> asio::awaitable<void> {
    random_access_file file(context);
    co_await async_open(file, path("new"), asio::file_base::read_write | asio::file_base::create,
                        use_awaitable);
    BOOST_TEST(file.is_open());
    co_await asio::async_write_at(file, 0, asio::buffer("data", 4), use_awaitable);
    co_await async_close(file, use_awaitable);
    BOOST_TEST(!file.is_open());
    BOOST_TEST(read_file(path("new")) == "data");

    auto [missing] = co_await async_open(file, path("missing"), asio::file_base::read_only, aw);
    BOOST_TEST(missing == errc::no_such_file_or_directory);
    auto [closed] = co_await async_close(file, aw);
    BOOST_TEST(closed == asio::error::bad_descriptor);
    co_await async_open(file, path("new"), asio::file_base::read_only, use_awaitable);
    auto [again] = co_await async_open(file, path("new"), asio::file_base::read_only, aw);
    BOOST_TEST(again == asio::error::already_open);
  }());
}

BOOST_AUTO_TEST_CASE(a_descriptor_is_opened_and_closed)
{
  run([&]() -> asio::awaitable<void> { co_await async_statx(context, path("."), use_awaitable); }());
  const std::size_t before = open_descriptors(); // by now the context has opened all its own descriptors
  run([&]() -> asio::awaitable<void> {
    unique_descriptor d = co_await async_open(context, path("new"), O_CREAT | O_EXCL | O_WRONLY,
                                              fs::perms(0640), use_awaitable);
    BOOST_TEST(d.get() >= 0);
    BOOST_TEST(((fs::status(path("new")).permissions() & ~fs::perms(0640)) == fs::perms::none));
    auto [exists, none] =
        co_await async_open(context, path("new"), O_CREAT | O_EXCL | O_WRONLY, fs::perms(0640), aw);
    BOOST_TEST(exists == errc::file_exists);
    BOOST_TEST(!none);
    const int number = d.get();
    co_await async_close(context, std::move(d), use_awaitable);
    BOOST_TEST(::fcntl(number, F_GETFD) == -1);
    auto [bad] = co_await async_close(context, unique_descriptor(), aw);
    BOOST_TEST(bad == asio::error::bad_descriptor);
    auto [is_directory, still_none] = co_await async_open(context, path("."), O_RDWR, fs::perms(), aw);
    BOOST_TEST(is_directory == errc::is_a_directory);
  }());
  BOOST_TEST(open_descriptors() == before);
}

BOOST_AUTO_TEST_CASE(a_descriptor_that_nobody_gets_is_closed)
{
  write_file("file", "data");
  const std::size_t before = open_descriptors();
  {
    asio::io_context other;
    for (int i = 0; i != 20; ++i)
      async_open(other, path("file"), O_RDONLY, fs::perms(),
                 [](error_code, unique_descriptor) { std::abort(); });
    random_access_file file(other);
    async_open(file, path("file"), asio::file_base::read_only, [](error_code) { std::abort(); });
  }
  BOOST_TEST(open_descriptors() == before);
  {
    asio::io_context other;
    std::vector<std::future<unique_descriptor>> dropped;
    for (int i = 0; i != 20; ++i)
      dropped.push_back(async_open(other, path("file"), O_RDONLY, fs::perms(), asio::use_future));
    other.run();
  }
  BOOST_TEST(open_descriptors() == before);
}

BOOST_AUTO_TEST_CASE(a_forbidden_directory_gives_permission_denied, *boost::unit_test::precondition(as_root))
{
  fs::permissions(fs::path(path(".")), fs::perms::owner_all);
  // The kernel performs an operation with the credentials of the thread that submits it.
  BOOST_REQUIRE_EQUAL(::seteuid(65534), 0);
  outcome opened;
  random_access_file file(context);
  async_open(file, path("new"), asio::file_base::read_write | asio::file_base::create, opened.record());
  finish(context);
  BOOST_REQUIRE_EQUAL(::seteuid(0), 0);
  CHECK_FAILED(opened, errc::permission_denied);
}

BOOST_AUTO_TEST_CASE(names_are_moved_and_removed)
{
  write_file("a", "text");
  fs::create_directory(path("d"));
  run([&]() -> asio::awaitable<void> {
    co_await async_rename(context, path("a"), path("b"), use_awaitable);
    BOOST_TEST(!fs::exists(path("a")));
    BOOST_TEST(read_file(path("b")) == "text");
    co_await async_rename(context, path("b"), path("d/c"), use_awaitable);
    auto [full] = co_await async_rmdir(context, path("d"), aw);
    BOOST_TEST(full == errc::directory_not_empty);
    auto [no_directory] = co_await async_rmdir(context, path("d/c"), aw);
    BOOST_TEST(no_directory == errc::not_a_directory);
    auto [directory] = co_await async_unlink(context, path("d"), aw);
    BOOST_TEST(!!directory);
    auto [kept] = co_await async_rename(context, path("d/c"), path("d"), RENAME_NOREPLACE, aw);
    BOOST_TEST(kept == errc::file_exists);
    co_await async_unlink(context, path("d/c"), use_awaitable);
    co_await async_rmdir(context, path("d"), use_awaitable);
    BOOST_TEST(!fs::exists(path("d")));
    auto [missing] = co_await async_unlink(context, path("missing"), aw);
    BOOST_TEST(missing == errc::no_such_file_or_directory);
  }());
}

BOOST_AUTO_TEST_CASE(directories_and_links_are_made)
{
  write_file("a", "text");
  run([&]() -> asio::awaitable<void> {
    auto [made] = co_await async_mkdir(context, path("d"), fs::perms(0700), aw);
    auto [linked] = co_await async_link(context, path("a"), path("b"), aw);
    auto [symlinked] = co_await async_symlink(context, "b", path("c"), aw);
    BOOST_TEST(!made);
    BOOST_TEST((fs::status(path("d")).permissions() == fs::perms(0700)));
    BOOST_TEST(!linked);
    BOOST_TEST(fs::hard_link_count(path("a")) == 2u);
    BOOST_TEST(!symlinked);
    BOOST_TEST(fs::read_symlink(path("c")) == "b");
    BOOST_TEST(read_file(path("c")) == "text");

    auto [exists] = co_await async_mkdir(context, path("b"), fs::perms(0700), aw);
    BOOST_TEST(exists == errc::file_exists);
    auto [taken] = co_await async_symlink(context, "x", path("b"), aw);
    BOOST_TEST(taken == errc::file_exists);
    auto [dangling] = co_await async_link(context, path("missing"), path("x"), aw);
    BOOST_TEST(dangling == errc::no_such_file_or_directory);
  }());
}

BOOST_AUTO_TEST_CASE(paths_belong_to_the_operation)
{
  write_file("file", "data");
  outcome renamed;
  {
    const std::string name = path("a_name_that_is_long_enough_to_be_allocated_somewhere_else");
    async_rename(context, path("file"), name, renamed.record());
  }
  finish(context);
  CHECK_SUCCEEDED(renamed);
}

BOOST_AUTO_TEST_CASE(statx_tells_what_stat_tells)
{
  write_file("file", "0123456789");
  fs::create_symlink("file", path("link"));
  struct stat expected;
  BOOST_REQUIRE_EQUAL(::stat(path("file").c_str(), &expected), 0);
  run([&]() -> asio::awaitable<void> {
    struct ::statx s = co_await async_statx(context, path("link"), use_awaitable);
    BOOST_TEST(s.stx_size == 10u);
    BOOST_TEST(s.stx_ino == expected.st_ino);
    BOOST_TEST(s.stx_mode == expected.st_mode);
    s = co_await async_statx(context, path("link"), {.flags = AT_SYMLINK_NOFOLLOW}, use_awaitable);
    BOOST_TEST(S_ISLNK(s.stx_mode));
    random_access_file file(context, path("file"), asio::file_base::read_only);
    s = co_await async_statx(file, use_awaitable);
    BOOST_TEST(s.stx_ino == expected.st_ino);
    auto [missing, nothing] = co_await async_statx(context, path("missing"), aw);
    BOOST_TEST(missing == errc::no_such_file_or_directory);
    file.close();
    auto [closed, nothing_either] = co_await async_statx(file, aw);
    BOOST_TEST(closed == asio::error::bad_descriptor);
  }());
}

BOOST_AUTO_TEST_CASE(the_contents_as_a_whole)
{
  run([&]() -> asio::awaitable<void> {
    random_access_file file(context, path("file"), asio::file_base::read_write | asio::file_base::create);
    co_await asio::async_write_at(file, 0, asio::buffer("0123456789"), use_awaitable);
    co_await async_fsync(file, use_awaitable);
    co_await async_fdatasync(file, use_awaitable);
    co_await async_sync_file_range(file, 0, 0, SYNC_FILE_RANGE_WRITE, use_awaitable);
    co_await async_fallocate(file, 0, 0, 1 << 20, use_awaitable);
    BOOST_TEST(file.size() == 1u << 20);
    co_await async_fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096, use_awaitable);
    char first = 'x';
    file.read_some_at(0, asio::buffer(&first, 1));
    BOOST_TEST(first == '\0');
    co_await async_fadvise(file, 0, 0, POSIX_FADV_WILLNEED, use_awaitable);
    co_await async_fadvise(file, 0, 1 << 20, POSIX_FADV_DONTNEED, use_awaitable);

    auto [truncated] = co_await async_ftruncate(file, 5, aw);
    BOOST_TEST(!truncated);
    BOOST_TEST(file.size() == 5u);
  }());
}

BOOST_AUTO_TEST_CASE(the_contents_functions_report_errors)
{
  write_file("file", "data");
  run([&]() -> asio::awaitable<void> {
    random_access_file file(context, path("file"), asio::file_base::read_only);
    auto [truncated] = co_await async_ftruncate(file, 5, aw);
    BOOST_TEST(!!truncated);
    auto [allocated] = co_await async_fallocate(file, 0, 0, 10, aw);
    BOOST_TEST(allocated == asio::error::bad_descriptor);
    auto [nothing] = co_await async_fallocate(file, 0, 0, 0, aw);
    BOOST_TEST(!!nothing);
    auto [range] = co_await async_sync_file_range(file, 0, std::uint64_t{1} << 32, SYNC_FILE_RANGE_WRITE, aw);
    BOOST_TEST(range == asio::error::invalid_argument);
    auto [advice] = co_await async_fadvise(file, 0, 0, 1000, aw);
    BOOST_TEST(advice == asio::error::invalid_argument);
    file.close();
    auto [synced] = co_await async_fsync(file, aw);
    BOOST_TEST(synced == asio::error::bad_descriptor);
    auto [data_synced] = co_await async_fdatasync(file, aw);
    BOOST_TEST(data_synced == asio::error::bad_descriptor);
    file.assign(::open("/proc/self/status", O_RDONLY));
    auto [unsynced] = co_await async_fsync(file, aw);
    BOOST_TEST(unsynced == asio::error::invalid_argument);
  }());
}

BOOST_AUTO_TEST_CASE(a_range_beyond_32_bits_is_advised)
{
  run([&]() -> asio::awaitable<void> {
    random_access_file file(context, path("file"), asio::file_base::read_write | asio::file_base::create);
    file.resize(std::uint64_t{5} << 30);
    auto [ec] = co_await async_fadvise(file, 0, std::uint64_t{5} << 30, POSIX_FADV_RANDOM, aw);
    BOOST_TEST((!ec || ec == asio::error::invalid_argument)); // before 6.10
  }());
}

BOOST_AUTO_TEST_CASE(memory_is_advised)
{
  const aligned_block block(1 << 16);
  run([&]() -> asio::awaitable<void> {
    std::memset(block.data, 'x', 1 << 16);
    co_await async_madvise(context, asio::buffer(block.data, 1 << 16), MADV_DONTNEED, use_awaitable);
    BOOST_TEST(block.data[0] == '\0'); // the pages are gone
    auto [odd] = co_await async_madvise(context, asio::buffer(block.data + 1, 4096), MADV_WILLNEED, aw);
    BOOST_TEST(odd == asio::error::invalid_argument);
  }());
}

BOOST_AUTO_TEST_CASE(data_is_spliced_from_file_to_pipe_to_file)
{
  const std::string text(50'000, 's');
  write_file("from", text);
  run([&]() -> asio::awaitable<void> {
    random_access_file from(context, path("from"), asio::file_base::read_only);
    random_access_file to(context, path("to"), asio::file_base::read_write | asio::file_base::create);
    asio::readable_pipe in(context);
    asio::writable_pipe out(context);
    asio::connect_pipe(in, out);
    std::uint64_t at = 0;
    while (at != text.size()) {
      const std::size_t n = co_await async_splice(from, at, out, std::nullopt, 16384, 0, use_awaitable);
      for (std::size_t left = n; left;)
        left -= co_await async_splice(in, std::nullopt, to, at + n - left, static_cast<unsigned>(left), 0,
                                      use_awaitable);
      at += n;
    }
    auto [end, none] = co_await async_splice(from, at, out, std::nullopt, 16384, 0, aw);
    BOOST_TEST(end == asio::error::eof);
    auto [two_files, nothing] = co_await async_splice(from, 0, to, 0, 16, 0, aw);
    BOOST_TEST(two_files == asio::error::invalid_argument);
  }());
  BOOST_TEST((read_file(path("to")) == text));
}

BOOST_AUTO_TEST_CASE(a_pipe_is_repeated_into_another)
{
  run([&]() -> asio::awaitable<void> {
    asio::readable_pipe in(context), copy(context);
    asio::writable_pipe out(context), to(context);
    asio::connect_pipe(in, out);
    asio::connect_pipe(copy, to);
    co_await asio::async_write(out, asio::buffer("data", 4), use_awaitable);
    BOOST_TEST(co_await async_tee(in, to, 16, 0, use_awaitable) == 4u);
    char first[4], second[4];
    co_await asio::async_read(copy, asio::buffer(second), use_awaitable);
    co_await asio::async_read(in, asio::buffer(first), use_awaitable);
    BOOST_TEST(std::string_view(first, 4) == "data");
    BOOST_TEST(std::string_view(second, 4) == "data");
    out.close();
    auto [end, none] = co_await async_tee(in, to, 16, 0, aw);
    BOOST_TEST(end == asio::error::eof);
  }());
}

BOOST_AUTO_TEST_CASE(attributes_are_set_and_got)
{
  write_file("file", "data");
  // The file system may have no attributes; the functions must report that.
  if (::setxattr(path("file").c_str(), "user.probe", "x", 1, 0) != 0) {
    outcome set;
    async_setxattr(context, path("file"), "user.a", asio::buffer("1", 1), 0, set.record());
    finish(context);
    CHECK_FAILED(set, asio::error::operation_not_supported);
    return;
  }
  run([&]() -> asio::awaitable<void> {
    char value[16];
    co_await async_setxattr(context, path("file"), "user.one", asio::buffer("first", 5), 0, use_awaitable);
    BOOST_TEST(
        co_await async_getxattr(context, path("file"), "user.one", asio::buffer(value), use_awaitable) == 5u);
    BOOST_TEST(std::string_view(value, 5) == "first");
    BOOST_TEST(co_await async_getxattr(context, path("file"), "user.one", {}, use_awaitable) == 5u);
    random_access_file file(context, path("file"), asio::file_base::read_write);
    co_await async_fsetxattr(file, "user.two", asio::buffer("second", 6), XATTR_CREATE, use_awaitable);
    BOOST_TEST(co_await async_fgetxattr(file, "user.two", asio::buffer(value), use_awaitable) == 6u);
    BOOST_TEST(std::string_view(value, 6) == "second");

    auto [none, zero] = co_await async_getxattr(context, path("file"), "user.none", asio::buffer(value), aw);
    BOOST_TEST(none == errc::no_message_available); // ENODATA
    auto [small, zero_too] = co_await async_fgetxattr(file, "user.two", asio::buffer(value, 2), aw);
    BOOST_TEST(small == errc::result_out_of_range);
    auto [exists] = co_await async_fsetxattr(file, "user.two", asio::buffer("x", 1), XATTR_CREATE, aw);
    BOOST_TEST(exists == errc::file_exists);
  }());
}

BOOST_AUTO_TEST_CASE(operations_work_with_callbacks_and_futures)
{
  write_file("file", "data");
  write_file("looked_at", "data"); // a thread does it, and another thread may be faster
  std::uint64_t size = 0;
  async_statx(context, path("looked_at"), [&](error_code ec, struct ::statx s) {
    BOOST_TEST(!ec);
    size = s.stx_size;
  });
  auto renamed = async_rename(context.get_executor(), path("file"), path("other"), asio::use_future);
  auto missing =
      async_unlink(asio::any_io_executor(context.get_executor()), path("missing"), asio::use_future);
  BOOST_TEST(size == 0u);
  finish(context);
  BOOST_CHECK_NO_THROW(renamed.get());
  BOOST_CHECK_THROW(missing.get(), boost::system::system_error);
}

BOOST_AUTO_TEST_CASE(many_threads_start_operations_on_one_context)
{
  std::atomic<int> made{0};
  asio::thread_pool pool(4);
  for (int t = 0; t != 8; ++t)
    asio::post(pool, [&, t] {
      for (int i = 0; i != 100; ++i)
        async_open(pool, path(std::to_string(t) + "." + std::to_string(i)), O_CREAT | O_EXCL | O_WRONLY,
                   fs::perms(0600), [&](error_code ec, unique_descriptor) { made += !ec; });
    });
  pool.join();
  BOOST_TEST(made == 800);
}

BOOST_AUTO_TEST_CASE(closing_a_file_ends_what_was_started_on_it)
{
  random_access_file file(context, path("file"), asio::file_base::read_write | asio::file_base::create);
  std::vector<outcome> synced(32);
  for (outcome& s : synced)
    async_fsync(file, s.record());
  file.close();
  finish(context);
  for (const outcome& s : synced) {
    BOOST_TEST(s.calls == 1);
    BOOST_TEST((!s.error || s.error == asio::error::operation_aborted), s);
  }
}

BOOST_AUTO_TEST_CASE(cancelled_operations_end_once)
{
  std::vector<outcome> removed(64);
  std::vector<asio::cancellation_signal> signals(64);
  for (std::size_t i = 0; i != 64; ++i)
    async_unlink(context, write_file(std::to_string(i), ""),
                 asio::bind_cancellation_slot(signals[i].slot(), removed[i].record()));
  for (auto& signal : signals)
    signal.emit(asio::cancellation_type::total);
  finish(context);
  for (std::size_t i = 0; i != 64; ++i) {
    BOOST_TEST(removed[i].calls == 1);
    BOOST_TEST(fs::exists(path(std::to_string(i))) == !!removed[i].error, removed[i]);
  }
}

BOOST_AUTO_TEST_CASE(the_operations_of_a_destroyed_context_are_given_up)
{
  auto token = std::make_shared<int>();
  std::weak_ptr<int> watch = token;
  {
    asio::io_context other;
    for (int i = 0; i != 100; ++i)
      async_unlink(other, path("missing"), [token](error_code) { std::abort(); });
    token.reset();
  }
  BOOST_TEST(watch.expired());
}

BOOST_AUTO_TEST_SUITE_END()
