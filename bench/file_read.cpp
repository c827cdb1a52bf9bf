// 4 KiB random reads of one file, `depth` of them at a time: through Asio's random_access_file (the same
// source for asio_uring and for Asio's own backend), liburing alone, or a thread pool that calls pread.
#include "options.hpp"

#include <boost/asio.hpp>
#ifdef ASIO_URING_AS_DEFAULT
#include <asio_uring/register_buffers.hpp>
#include <asio_uring/register_file.hpp>
#endif

#include <liburing.h>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

namespace {

namespace asio = boost::asio;
using clock_type = std::chrono::steady_clock;
constexpr std::size_t block = 4096;

constexpr std::string_view usage = "file_read --file PATH --via asio|liburing|pool [--threads N] [--depth N] "
                                   "[--direct] [--registered] [--seconds S]\n"
                                   "file_read --file PATH --make MIB";

double cpu_seconds()
{
  rusage used;
  ::getrusage(RUSAGE_SELF, &used);
  auto const seconds = [](timeval t) { return double(t.tv_sec) + double(t.tv_usec) * 1e-6; };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

// The common part of all sides: where to read, whether the data is right, when to stop.
class workload
{
public:
  workload(std::uint64_t size, unsigned depth, double seconds)
      : blocks_(size / block),
        memory_(static_cast<char*>(std::aligned_alloc(block, depth * block)), &std::free),
        seconds_(seconds)
  {}

  char* buffer(unsigned slot) { return memory_.get() + slot * block; }

  // The next offset for a slot.
  std::uint64_t next(unsigned slot)
  {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    std::uint64_t const index = state_ % blocks_;
    expected_[slot] = index;
    return index * block;
  }

  // Each block begins with its own number.
  void done(unsigned slot, std::int64_t result)
  {
    std::uint64_t found;
    std::memcpy(&found, buffer(slot), sizeof(found));
    if (result != block || found != expected_[slot]) {
      std::fprintf(stderr, "wrong read: %lld\n", static_cast<long long>(result));
      std::exit(1);
    }
    if (++reads_ % 512 == 0 && clock_type::now() >= end_) over_ = true;
  }
  bool over() const { return over_; }

  void begin()
  {
    start_ = clock_type::now();
    cpu_ = cpu_seconds();
    end_ = start_ + std::chrono::duration_cast<clock_type::duration>(std::chrono::duration<double>(seconds_));
  }
  void report() const
  {
    double const took = std::chrono::duration<double>(clock_type::now() - start_).count();
    double const cpu = cpu_seconds() - cpu_;
    std::printf("requests=%llu seconds=%.4f cpu_ns_per_request=%.1f\n",
                static_cast<unsigned long long>(reads_), took, cpu * 1e9 / double(reads_));
  }

private:
  std::uint64_t blocks_;
  std::unique_ptr<char, void (*)(void*)> memory_;
  double seconds_;
  std::uint64_t expected_[4096] = {};
  std::uint64_t state_ = 88172645463325252u;
  std::uint64_t reads_ = 0;
  bool over_ = false;
  clock_type::time_point start_, end_;
  double cpu_ = 0;
};

#ifndef FILE_READ_WITHOUT_ASIO
using file_type = asio::basic_random_access_file<asio::io_context::executor_type>;

template <typename MakeBuffer>
void read_with_asio(asio::io_context& context, std::string const& path, int flags, unsigned depth,
                    [[maybe_unused]] bool registered, workload& work, MakeBuffer make_buffer)
{
  file_type file(context, path, static_cast<asio::file_base::flags>(flags));
#ifdef ASIO_URING_AS_DEFAULT
  if (registered) asio_uring::register_file(file);
#endif

  struct reader
  {
    file_type& file;
    workload& work;
    MakeBuffer& make_buffer;
    unsigned slot;
    void start() { file.async_read_some_at(work.next(slot), make_buffer(slot), *this); }
    void operator()(boost::system::error_code ec, std::size_t size)
    {
      work.done(slot, ec ? -1 : static_cast<std::int64_t>(size));
      if (!work.over()) start();
    }
  };
  for (unsigned slot = 0; slot < depth; ++slot)
    reader{file, work, make_buffer, slot}.start();
  context.run();
}

void read_with_asio(std::string const& path, int flags, unsigned depth, bool registered, workload& work)
{
  asio::io_context context;
  if (!registered)
    return read_with_asio(context, path, flags, depth, registered, work,
                          [&](unsigned slot) { return asio::buffer(work.buffer(slot), block); });
  std::vector<asio::mutable_buffer> slots;
  for (unsigned slot = 0; slot < depth; ++slot)
    slots.push_back(asio::buffer(work.buffer(slot), block));
#ifdef ASIO_URING_AS_DEFAULT
  auto registration = asio_uring::register_buffers(context, slots);
#else
  auto registration = asio::register_buffers(context, slots);
#endif
  read_with_asio(context, path, flags, depth, registered, work,
                 [&](unsigned slot) { return registration[slot]; });
}

#endif

void read_with_liburing(int fd, unsigned depth, bool registered, workload& work)
{
  io_uring ring;
  if (int const error =
          io_uring_queue_init(256, &ring, IORING_SETUP_COOP_TASKRUN | IORING_SETUP_SINGLE_ISSUER)) {
    std::fprintf(stderr, "io_uring: %s\n", std::strerror(-error));
    std::exit(1);
  }
  std::vector<iovec> slots;
  for (unsigned slot = 0; slot < depth; ++slot)
    slots.push_back({work.buffer(slot), block});
  if (registered && (io_uring_register_buffers(&ring, slots.data(), depth) != 0 ||
                     io_uring_register_files(&ring, &fd, 1) != 0))
    std::exit(1);
  auto const start = [&](unsigned slot) {
    io_uring_sqe* const sqe = io_uring_get_sqe(&ring);
    if (registered) {
      io_uring_prep_read_fixed(sqe, 0, work.buffer(slot), block, work.next(slot), static_cast<int>(slot));
      sqe->flags |= IOSQE_FIXED_FILE;
    } else
      io_uring_prep_read(sqe, fd, work.buffer(slot), block, work.next(slot));
    sqe->user_data = slot;
  };
  for (unsigned slot = 0; slot < depth; ++slot)
    start(slot);
  for (unsigned in_flight = depth; in_flight;) {
    io_uring_submit_and_wait(&ring, 1);
    io_uring_cqe* cqe;
    unsigned head, seen = 0;
    io_uring_for_each_cqe(&ring, head, cqe)
    {
      ++seen;
      unsigned const slot = static_cast<unsigned>(cqe->user_data);
      work.done(slot, cqe->res);
      work.over() ? void(--in_flight) : start(slot);
    }
    io_uring_cq_advance(&ring, seen);
  }
  io_uring_queue_exit(&ring);
}

void read_with_pool(int fd, unsigned depth, unsigned threads, workload& work)
{
  asio::io_context context;
  asio::thread_pool pool(threads);
  auto guard = asio::make_work_guard(context);
  unsigned in_flight = depth;

  struct reader
  {
    asio::io_context& context;
    asio::thread_pool& pool;
    asio::executor_work_guard<asio::io_context::executor_type>& keep;
    unsigned& in_flight;
    workload& work;
    int fd;
    unsigned slot;
    void start()
    {
      asio::post(pool, [*this, at = work.next(slot)]() mutable {
        ssize_t const size = ::pread(fd, work.buffer(slot), block, static_cast<off_t>(at));
        asio::post(context, [*this, size]() mutable {
          work.done(slot, size);
          if (!work.over()) return start();
          if (--in_flight == 0) keep.reset();
        });
      });
    }
  };
  for (unsigned slot = 0; slot < depth; ++slot)
    reader{context, pool, guard, in_flight, work, fd, slot}.start();
  context.run();
  pool.join();
}

void make_file(std::string const& path, std::uint64_t mib)
{
  int const fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  std::vector<char> buffer(1 << 20, 'x');
  for (std::uint64_t at = 0; at < mib; ++at) {
    for (std::uint64_t i = 0; i < buffer.size() / block; ++i) {
      std::uint64_t const index = at * (buffer.size() / block) + i;
      std::memcpy(buffer.data() + i * block, &index, sizeof(index));
    }
    if (::write(fd, buffer.data(), buffer.size()) != static_cast<ssize_t>(buffer.size())) std::exit(1);
  }
  ::fsync(fd);
  ::close(fd);
}

} // namespace

int main(int argc, char** argv)
{
  bench::options const options(argc, argv, usage);
  std::string const path = options.text("file");
  if (options.has("make")) return make_file(path, static_cast<std::uint64_t>(options.number("make", 256))), 0;

  auto const depth = static_cast<unsigned>(options.number("depth", 32));
  int const flags = O_RDONLY | (options.has("direct") ? O_DIRECT : 0);
  int const fd = ::open(path.c_str(), flags);
  struct stat status;
  if (fd < 0 || ::fstat(fd, &status) != 0) options.fail("cannot open " + path);
  ::posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
  if (depth < 1 || depth > 4096) options.fail("--depth is 1 to 4096");

  workload work(static_cast<std::uint64_t>(status.st_size), depth, options.number("seconds", 1));
  work.begin();
  std::string const via = options.text("via", "asio");
#ifndef FILE_READ_WITHOUT_ASIO
  if (via == "asio")
    read_with_asio(path, flags, depth, options.has("registered"), work);
  else
#endif
      if (via == "liburing")
    read_with_liburing(fd, depth, options.has("registered"), work);
  else if (via == "pool")
    read_with_pool(fd, depth, static_cast<unsigned>(options.number("threads", 4)), work);
  else
    options.fail("unknown --via " + via);
  work.report();
}
