// test/standalone/names.hpp: the names of Boost.Asio in tests and examples, for Asio without Boost.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_STANDALONE_NAMES_HPP
#define ASIO_URING_TEST_STANDALONE_NAMES_HPP

// This is what <boost/asio/...> and <boost/system/...> contain in the build of test/standalone/, which
// generates a header for each name; the last line of each includes Asio's.

#include <asio/error_code.hpp>
#include <asio/system_error.hpp>
#include <cerrno>
#include <system_error>

namespace boost {

namespace asio = ::asio;

namespace system {

using ::asio::error_code;
using ::asio::system_category;
using ::asio::system_error;
namespace errc {

/// The ones that tests use. They are codes, because Asio's system category knows no conditions before 1.38.
enum errc_t
{
  address_not_available = EADDRNOTAVAIL,
  bad_address = EFAULT,
  cross_device_link = EXDEV,
  directory_not_empty = ENOTEMPTY,
  file_exists = EEXIST,
  function_not_supported = ENOSYS,
  invalid_argument = EINVAL,
  is_a_directory = EISDIR,
  no_message_available = ENODATA,
  no_space_on_device = ENOSPC,
  no_such_file_or_directory = ENOENT,
  not_a_directory = ENOTDIR,
  operation_in_progress = EINPROGRESS,
  operation_not_permitted = EPERM,
  permission_denied = EACCES,
  resource_unavailable_try_again = EAGAIN,
  result_out_of_range = ERANGE,
  stream_timeout = ETIME,
  too_many_files_open_in_system = ENFILE
};
inline error_code make_error_code(errc_t value) { return {value, system_category()}; }

} // namespace errc
} // namespace system
} // namespace boost

template <>
struct std::is_error_code_enum<boost::system::errc::errc_t> : std::true_type
{};

#define BOOST_ASIO_CONCURRENCY_HINT_DEFAULT ASIO_CONCURRENCY_HINT_DEFAULT
#define BOOST_ASIO_CONCURRENCY_HINT_UNSAFE ASIO_CONCURRENCY_HINT_UNSAFE
#define BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO ASIO_CONCURRENCY_HINT_UNSAFE_IO

#endif // ASIO_URING_TEST_STANDALONE_NAMES_HPP
