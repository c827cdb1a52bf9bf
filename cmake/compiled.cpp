// The source of asio_uring::compiled: the library's functions that are not templates.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include <asio_uring/src.hpp>
