// test/standalone/names.hpp: the names by which tests and examples mention Boost.Asio, for Asio without
// Boost.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_STANDALONE_NAMES_HPP
#define ASIO_URING_TEST_STANDALONE_NAMES_HPP

// What <boost/asio/...> and <boost/system/...> are in the build of test/standalone/, which makes a header of
// each name; the last line of each includes Asio's.

#include <asio/error_code.hpp>
#include <asio/system_error.hpp>
#include <ostream>
#include <system_error>

namespace std {

// Boost.Test prints what it compares; that of Boost.System is an integer to it.
inline ostream& operator<<(ostream& out, errc value) { return out << static_cast<int>(value); }

} // namespace std

namespace boost {

namespace asio = ::asio;

namespace system {

using ::asio::error_code;
using ::asio::system_category;
using ::asio::system_error;
namespace errc {

using enum std::errc;
using std::make_error_code;

} // namespace errc
} // namespace system
} // namespace boost

#define BOOST_ASIO_CONCURRENCY_HINT_DEFAULT ASIO_CONCURRENCY_HINT_DEFAULT
#define BOOST_ASIO_CONCURRENCY_HINT_UNSAFE ASIO_CONCURRENCY_HINT_UNSAFE
#define BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO ASIO_CONCURRENCY_HINT_UNSAFE_IO

#endif // ASIO_URING_TEST_STANDALONE_NAMES_HPP
