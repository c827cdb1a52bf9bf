// asio_uring/asio_uring.hpp: the whole library, except the file-system operations:
// asio_uring/file_system.hpp.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_ASIO_URING_HPP
#define ASIO_URING_ASIO_URING_HPP

#include <asio_uring/accept_stream.hpp>
#include <asio_uring/any_io_executor.hpp>
#include <asio_uring/async_submit.hpp>
#include <asio_uring/backend.hpp>
#include <asio_uring/buffer_ring.hpp>
#include <asio_uring/chain.hpp>
#include <asio_uring/connect_pipe.hpp>
#include <asio_uring/datagram_batches.hpp>
#include <asio_uring/datagram_stream.hpp>
#include <asio_uring/enable_io_uring.hpp>
#include <asio_uring/fan_out.hpp>
#include <asio_uring/generic/datagram_protocol.hpp>
#include <asio_uring/generic/raw_protocol.hpp>
#include <asio_uring/generic/seq_packet_protocol.hpp>
#include <asio_uring/generic/stream_protocol.hpp>
#include <asio_uring/ip/icmp.hpp>
#include <asio_uring/ip/tcp.hpp>
#include <asio_uring/ip/udp.hpp>
#include <asio_uring/local/connect_pair.hpp>
#include <asio_uring/local/datagram_protocol.hpp>
#include <asio_uring/local/seq_packet_protocol.hpp>
#include <asio_uring/local/stream_protocol.hpp>
#include <asio_uring/misuse.hpp>
#include <asio_uring/options.hpp>
#include <asio_uring/owned_buffers.hpp>
#include <asio_uring/poll_stream.hpp>
#include <asio_uring/posix/descriptor.hpp>
#include <asio_uring/posix/stream_descriptor.hpp>
#include <asio_uring/random_access_file.hpp>
#include <asio_uring/readable_pipe.hpp>
#include <asio_uring/receive_batch.hpp>
#include <asio_uring/receive_stream.hpp>
#include <asio_uring/register_buffers.hpp>
#include <asio_uring/register_file.hpp>
#include <asio_uring/registered_buffer_pool.hpp>
#include <asio_uring/ring/ring.hpp>
#include <asio_uring/ring_descriptor.hpp>
#include <asio_uring/segments.hpp>
#include <asio_uring/send_batch.hpp>
#include <asio_uring/send_file.hpp>
#include <asio_uring/send_zero_copy.hpp>
#include <asio_uring/statistics.hpp>
#include <asio_uring/stream_file.hpp>
#include <asio_uring/udp_offload.hpp>
#include <asio_uring/unique_descriptor.hpp>
#include <asio_uring/use_uring.hpp>
#include <asio_uring/use_wait.hpp>
#include <asio_uring/via.hpp>
#include <asio_uring/wait_futex.hpp>
#include <asio_uring/wait_process.hpp>
#include <asio_uring/within.hpp>
#include <asio_uring/writable_pipe.hpp>

#endif // ASIO_URING_ASIO_URING_HPP
