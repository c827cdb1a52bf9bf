// Each line warns: async_run() is missing.
#include <asio_uring/chain.hpp>
#include <asio_uring/random_access_file.hpp>

void nothing_is_done(asio_uring::random_access_file& file)
{
  asio_uring::chain(file).fdatasync(file);
  asio_uring::chain(file);
}
