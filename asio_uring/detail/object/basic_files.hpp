// asio_uring/detail/object/basic_files.hpp: Asio's file classes, on our service.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_OBJECT_BASIC_FILES_HPP
#define ASIO_URING_DETAIL_OBJECT_BASIC_FILES_HPP

#include <asio_uring/any_io_executor.hpp>

// Asio defines its file classes only where its own io_uring backend provides their service. The classes need
// nothing else of that backend: we give them ours under the service's name, and they are Asio's own code. All
// that basic_file.hpp includes comes first, so that nothing but basic_file itself sees the backend's macro.
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/detail/cstdint.hpp>
#include <boost/asio/detail/handler_type_requirements.hpp>
#include <boost/asio/detail/io_object_impl.hpp>
#include <boost/asio/detail/non_const_lvalue.hpp>
#include <boost/asio/detail/throw_error.hpp>
#include <boost/asio/detail/type_traits.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <string>

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
#include <boost/asio/file_base.hpp>

#include <asio_uring/detail/object/file_service.hpp>

namespace boost::asio::detail {
using io_uring_file_service = asio_uring::detail::file_service;
}

#define BOOST_ASIO_DETAIL_IO_URING_FILE_SERVICE_HPP
#define BOOST_ASIO_HAS_IO_URING 1
#include <boost/asio/basic_file.hpp>
#undef BOOST_ASIO_HAS_IO_URING

#include <boost/asio/basic_random_access_file.hpp>
#include <boost/asio/basic_stream_file.hpp>

// For a whole program on io_uring, stock Asio has files from here on.
#if defined(ASIO_URING_AS_DEFAULT)
#include <boost/asio/random_access_file.hpp>
#include <boost/asio/stream_file.hpp>
#else
#undef BOOST_ASIO_HAS_FILE
#endif

#endif // ASIO_URING_DETAIL_OBJECT_BASIC_FILES_HPP
