// asio_uring/ring/uapi.hpp: kernel constants that liburing 2.3 lacks.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_RING_UAPI_HPP
#define ASIO_URING_RING_UAPI_HPP

#include <asio_uring/ring/opcodes.hpp>
#include <liburing.h>

// params.flags
#ifndef IORING_SETUP_NO_MMAP
#define IORING_SETUP_NO_MMAP (1U << 14) // 6.5
#endif
#ifndef IORING_SETUP_NO_SQARRAY
#define IORING_SETUP_NO_SQARRAY (1U << 16) // 6.6
#endif

// params.features
#ifndef IORING_FEAT_MIN_TIMEOUT
#define IORING_FEAT_MIN_TIMEOUT (1U << 15) // 6.12
#endif
#ifndef IORING_FEAT_NO_IOWAIT
#define IORING_FEAT_NO_IOWAIT (1U << 17) // 6.15
#endif

// zero-copy sends: a flag in ioprio, and one in the result of a notification
#ifndef IORING_SEND_ZC_REPORT_USAGE
#define IORING_SEND_ZC_REPORT_USAGE (1U << 3) // 6.2
#endif
#ifndef IORING_NOTIF_USAGE_ZC_COPIED
#define IORING_NOTIF_USAGE_ZC_COPIED (1U << 31) // 6.2
#endif

// opcodes
namespace asio_uring {
enum : unsigned char
{
  IORING_OP_FTRUNCATE = opcode::ftruncate,
  IORING_OP_BIND = opcode::bind,
  IORING_OP_LISTEN = opcode::listen,
};
}

// io_uring_register opcodes
#define ASIO_URING_REGISTER_NAPI 27 // 6.9

// io_uring_enter flags
#ifndef IORING_ENTER_NO_IOWAIT
#define IORING_ENTER_NO_IOWAIT (1U << 7) // 6.15
#endif

#endif // ASIO_URING_RING_UAPI_HPP
