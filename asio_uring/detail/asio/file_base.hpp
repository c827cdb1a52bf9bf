// asio_uring/detail/asio/file_base.hpp: has Asio declare file_base, which it does only where it has files.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ASIO_FILE_BASE_HPP
#define ASIO_URING_DETAIL_ASIO_FILE_BASE_HPP

#include <asio_uring/config.hpp>

// Without the macro the headers have been included to no effect: they are once more.
#if defined(ASIO_URING_STANDALONE)

#if defined(ASIO_HAS_FILE)
#error "asio_uring: do not define ASIO_HAS_FILE; this header brings Asio's file classes"
#endif
#undef ASIO_FILE_BASE_HPP
#undef ASIO_BASIC_FILE_HPP
#undef ASIO_BASIC_STREAM_FILE_HPP
#undef ASIO_BASIC_RANDOM_ACCESS_FILE_HPP
#undef ASIO_STREAM_FILE_HPP
#undef ASIO_RANDOM_ACCESS_FILE_HPP

#define ASIO_HAS_FILE 1
#include <asio/file_base.hpp>
#undef ASIO_HAS_FILE

#else

#if defined(BOOST_ASIO_HAS_FILE)
#error "asio_uring: do not define BOOST_ASIO_HAS_FILE; this header brings Asio's file classes"
#endif
#undef BOOST_ASIO_FILE_BASE_HPP
#undef BOOST_ASIO_BASIC_FILE_HPP
#undef BOOST_ASIO_BASIC_STREAM_FILE_HPP
#undef BOOST_ASIO_BASIC_RANDOM_ACCESS_FILE_HPP
#undef BOOST_ASIO_STREAM_FILE_HPP
#undef BOOST_ASIO_RANDOM_ACCESS_FILE_HPP

#define BOOST_ASIO_HAS_FILE 1
#include <boost/asio/file_base.hpp>
#undef BOOST_ASIO_HAS_FILE

#endif

#endif // ASIO_URING_DETAIL_ASIO_FILE_BASE_HPP
