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
#include ASIO_URING_ASIO(any_io_executor.hpp)
#include ASIO_URING_ASIO(async_result.hpp)
#include ASIO_URING_ASIO(detail/cstdint.hpp)
#include ASIO_URING_ASIO(detail/handler_type_requirements.hpp)
#include ASIO_URING_ASIO(detail/io_object_impl.hpp)
#include ASIO_URING_ASIO(detail/non_const_lvalue.hpp)
#include ASIO_URING_ASIO(detail/throw_error.hpp)
#include ASIO_URING_ASIO(detail/type_traits.hpp)
#include ASIO_URING_ASIO(error.hpp)
#include ASIO_URING_ASIO(execution_context.hpp)
#include ASIO_URING_ASIO(io_context.hpp)
#include ASIO_URING_ASIO(post.hpp)
#include <string>

ASIO_URING_ASIO_BEGIN
namespace detail {
using io_uring_file_service = asio_uring::detail::file_service;
}
ASIO_URING_ASIO_END

#if defined(ASIO_URING_STANDALONE)
#define ASIO_HAS_FILE 1
#define ASIO_DETAIL_IO_URING_FILE_SERVICE_HPP
#define ASIO_HAS_IO_URING 1
#include <asio/basic_file.hpp>
#undef ASIO_HAS_IO_URING
#else
#define BOOST_ASIO_HAS_FILE 1
#define BOOST_ASIO_DETAIL_IO_URING_FILE_SERVICE_HPP
#define BOOST_ASIO_HAS_IO_URING 1
#include <boost/asio/basic_file.hpp>
#undef BOOST_ASIO_HAS_IO_URING
#endif

#include ASIO_URING_ASIO(basic_random_access_file.hpp)
#include ASIO_URING_ASIO(basic_stream_file.hpp)

// For a whole program on io_uring, stock Asio has files from here on.
#if defined(ASIO_URING_AS_DEFAULT)
#include ASIO_URING_ASIO(random_access_file.hpp)
#include ASIO_URING_ASIO(stream_file.hpp)
#elif defined(ASIO_URING_STANDALONE)
#undef ASIO_HAS_FILE
#else
#undef BOOST_ASIO_HAS_FILE
#endif

#endif // ASIO_URING_DETAIL_ASIO_BASIC_FILE_IPP
