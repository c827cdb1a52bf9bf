// Preloaded into a server, counts its heap allocations and prints the number when it exits.
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdio>

extern "C" {
// glibc's own entry points, because dlsym would allocate.
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
}

namespace {

struct counter
{
  std::atomic<unsigned long long> count{0};
  ~counter() { std::fprintf(stderr, "allocations=%llu\n", count.load()); }
} allocations;

} // namespace

extern "C" {

void* malloc(std::size_t size)
{
  ++allocations.count;
  return __libc_malloc(size);
}

void* calloc(std::size_t count, std::size_t size)
{
  ++allocations.count;
  return __libc_calloc(count, size);
}

void* realloc(void* at, std::size_t size)
{
  ++allocations.count;
  return __libc_realloc(at, size);
}

void* memalign(std::size_t alignment, std::size_t size)
{
  ++allocations.count;
  return __libc_memalign(alignment, size);
}

void* aligned_alloc(std::size_t alignment, std::size_t size) { return memalign(alignment, size); }

int posix_memalign(void** result, std::size_t alignment, std::size_t size)
{
  *result = memalign(alignment, size);
  return *result ? 0 : ENOMEM;
}

} // extern "C"
