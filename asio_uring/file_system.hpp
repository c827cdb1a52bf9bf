// asio_uring/file_system.hpp: files and directories, without blocking.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_FILE_SYSTEM_HPP
#define ASIO_URING_FILE_SYSTEM_HPP

#include <asio_uring/file_system/contents.hpp>
#include <asio_uring/file_system/directory.hpp>
#include <asio_uring/file_system/open.hpp>
#include <asio_uring/file_system/splice.hpp>
#include <asio_uring/file_system/xattr.hpp>

#endif // ASIO_URING_FILE_SYSTEM_HPP
