// asio_uring/detail/object/basic_files.hpp: Asio's file classes, on our service.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_OBJECT_BASIC_FILES_HPP
#define ASIO_URING_DETAIL_OBJECT_BASIC_FILES_HPP

#include <asio_uring/detail/object/file_service.hpp>
#include <asio_uring/detail/object/io_object.hpp>

#include <asio_uring/detail/asio/basic_file.ipp>

#endif // ASIO_URING_DETAIL_OBJECT_BASIC_FILES_HPP
