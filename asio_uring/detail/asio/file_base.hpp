// asio_uring/detail/asio/file_base.hpp: has Asio declare file_base, which it does only where it has files.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ASIO_FILE_BASE_HPP
#define ASIO_URING_DETAIL_ASIO_FILE_BASE_HPP

#include <asio_uring/config.hpp>

#if defined(BOOST_ASIO_HAS_FILE)
#error "asio_uring: do not define BOOST_ASIO_HAS_FILE; this header brings Asio's file classes"
#endif

// Without the macro they have been included to no effect.
#undef BOOST_ASIO_FILE_BASE_HPP
#undef BOOST_ASIO_BASIC_FILE_HPP
#undef BOOST_ASIO_BASIC_STREAM_FILE_HPP
#undef BOOST_ASIO_BASIC_RANDOM_ACCESS_FILE_HPP
#undef BOOST_ASIO_STREAM_FILE_HPP
#undef BOOST_ASIO_RANDOM_ACCESS_FILE_HPP

#define BOOST_ASIO_HAS_FILE 1
#include ASIO_URING_ASIO(file_base.hpp)
#undef BOOST_ASIO_HAS_FILE

#endif // ASIO_URING_DETAIL_ASIO_FILE_BASE_HPP
