// asio_uring/src.hpp: the library's functions, for one translation unit of a program that defines
// ASIO_URING_SEPARATE_COMPILATION everywhere.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_SRC_HPP
#define ASIO_URING_SRC_HPP

#if !defined(ASIO_URING_SEPARATE_COMPILATION)
#error "asio_uring/src.hpp: define ASIO_URING_SEPARATE_COMPILATION in every translation unit"
#endif

#include <asio_uring/asio_uring.hpp>

#include <asio_uring/backend.ipp>
#include <asio_uring/detail/engine/buffer_group.ipp>
#include <asio_uring/detail/engine/deadlines.ipp>
#include <asio_uring/detail/engine/file_state.ipp>
#include <asio_uring/detail/engine/guest_pump.ipp>
#include <asio_uring/detail/engine/linked_requests.ipp>
#include <asio_uring/detail/engine/path_controller.ipp>
#include <asio_uring/detail/engine/path_policy.ipp>
#include <asio_uring/detail/engine/read_ahead.ipp>
#include <asio_uring/detail/engine/readiness.ipp>
#include <asio_uring/detail/engine/registered_files.ipp>
#include <asio_uring/detail/engine/ring_ownership.ipp>
#include <asio_uring/detail/engine/ring_pump.ipp>
#include <asio_uring/detail/engine/ring_rest.ipp>
#include <asio_uring/detail/engine/ring_service.ipp>
#include <asio_uring/detail/engine/second_looks.ipp>
#include <asio_uring/detail/engine/settings.ipp>
#include <asio_uring/detail/engine/shutdown.ipp>
#include <asio_uring/detail/engine/source.ipp>
#include <asio_uring/detail/engine/submitted.ipp>
#include <asio_uring/detail/engine/turn.ipp>
#include <asio_uring/detail/engine/zero_copy_sends.ipp>
#include <asio_uring/detail/object/wait_for_completion.ipp>
#include <asio_uring/detail/op/call_in_thread.ipp>
#include <asio_uring/detail/op/process.ipp>
#include <asio_uring/detail/op/send_file.ipp>
#include <asio_uring/ring/fallback_kernel.ipp>
#include <asio_uring/ring/features.ipp>
#include <asio_uring/ring/fifo_open.ipp>
#include <asio_uring/ring/futex_wait.ipp>
#include <asio_uring/ring/perform.ipp>
#include <asio_uring/ring/ring.ipp>
#include <asio_uring/ring/worker_threads.ipp>
#include <asio_uring/statistics.ipp>

#endif // ASIO_URING_SRC_HPP
