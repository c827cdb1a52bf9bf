// asio_uring/detail/engine/file_kind.hpp: what is known of a descriptor when it is opened.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_FILE_KIND_HPP
#define ASIO_URING_DETAIL_ENGINE_FILE_KIND_HPP

namespace asio_uring::detail {

struct file_kind
{
  bool readable = false; ///< its first read is worth a plain call: a pipe, or a file, which cannot be polled
  bool emptied_by_short_reads = false; ///< what a read left room for was all there is
  bool datagrams = false;              ///< several may be received by one call
  bool sends_by_calls = false; ///< whatever the path: the kernel would not repeat a submitted one rightly
  bool borrowed = false;       ///< a stock object's, which may close it without a word: nothing but polls
                               ///< is submitted, and none of them outlives its operation
};

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_ENGINE_FILE_KIND_HPP
