// asio_uring/detail/asio/basic_file.ipp: has Asio define its file classes, on a service of ours.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ASIO_BASIC_FILE_IPP
#define ASIO_URING_DETAIL_ASIO_BASIC_FILE_IPP

// Part of object/basic_files.hpp, which defines asio_uring::detail::file_service first.
//
// Asio defines its file classes only where its own io_uring backend provides their service. The classes need
// nothing else of that backend: we give them ours under the service's name, and they are Asio's own code. All
// that basic_file.hpp includes comes first, so that nothing but basic_file itself sees the backend's macro.
#include <asio_uring/detail/asio/file_base.hpp>
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

#define BOOST_ASIO_HAS_FILE 1

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

#endif // ASIO_URING_DETAIL_ASIO_BASIC_FILE_IPP
