// asio_uring/detail/op/buffers.hpp: buffer sequences in the form that the kernel takes.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_OP_BUFFERS_HPP
#define ASIO_URING_DETAIL_OP_BUFFERS_HPP

#include <algorithm>
#include <asio_uring/detail/asio/names.hpp>
#include <asio_uring/detail/engine/operation.hpp>
#include ASIO_URING_ASIO(buffer.hpp)
#include <cerrno>
#include <cstddef>
#include <memory>
#include <sys/socket.h>
#include <sys/uio.h>
#include <type_traits>

namespace asio_uring::detail {

/// Converts a system call's return value to the result of a completion.
inline int result_of(ssize_t outcome) noexcept { return outcome < 0 ? -errno : static_cast<int>(outcome); }

/// Makes a call, again if a signal interrupts it, and returns the result of a completion.
template <typename Call>
[[gnu::always_inline]] inline int uninterrupted(Call&& call)
{
  for (;;) {
    const ssize_t outcome = call();
    if (outcome >= 0) return static_cast<int>(outcome);
    if (errno != EINTR) return -errno;
  }
}

/// Limits a size to what the kernel transfers at once (MAX_RW_COUNT), which also fits the 32 bits of a
/// submission entry.
inline unsigned kernel_size(std::size_t size) noexcept
{
  return static_cast<unsigned>(std::min<std::size_t>(size, 0x7ffff000));
}

/// A borrowed buffer sequence: an address and a length if it is a single buffer, otherwise a message with
/// vectors.
template <typename Buffer, typename Sequence>
class borrowed_buffers
{
public:
  using adapter = buffer_adapter<Buffer, Sequence>;
  static constexpr bool single = adapter::is_single_buffer;

  explicit borrowed_buffers(const Sequence& buffers) : buffers_(buffers) {}

  static bool all_empty(const Sequence& buffers) noexcept { return adapter::all_empty(buffers); }

  auto first() const noexcept { return adapter::first(buffers_); }
  const Sequence& sequence() const noexcept { return buffers_; }

  /// Calls f(msghdr&) with vectors that are valid during the call, for the first 64 buffers, as in Asio.
  template <typename F>
  auto with_message(F&& f) const
  {
    adapter vectors(buffers_);
    msghdr message{};
    message.msg_iov = vectors.buffers();
    message.msg_iovlen = vectors.count();
    return f(message);
  }

  /// Keeps the first `size` bytes for the next read. False if there is no memory.
  bool keep(std::size_t size, kept_bytes& bytes) const
  {
    if (!bytes.reserve(size)) return false;
    const auto last = asio::buffer_sequence_end(buffers_);
    for (auto it = asio::buffer_sequence_begin(buffers_); it != last && size > 0; ++it) {
      const asio::const_buffer buffer(*it);
      const std::size_t part = std::min(size, buffer.size());
      bytes.append(buffer.data(), part);
      size -= part;
    }
    return true;
  }

  /// Copies bytes that an earlier read left behind; they stay there if `peek`.
  int take(kept_bytes& bytes, bool peek) const
  {
    const std::size_t size = asio::buffer_copy(buffers_, asio::const_buffer(bytes.data(), bytes.size()));
    if (!peek) bytes.consume(size);
    return static_cast<int>(size);
  }

private:
  [[no_unique_address]] Sequence buffers_;
};

/// Borrowed buffers that also count how many bytes they have room for.
template <typename Buffer, typename Sequence>
class counted_buffers : public borrowed_buffers<Buffer, Sequence>
{
  using base = borrowed_buffers<Buffer, Sequence>;

public:
  using base::base;

  template <typename F>
  auto with_message(F&& f)
  {
    return base::with_message([&](msghdr& message) {
      std::size_t size = 0;
      for (std::size_t i = 0; i < message.msg_iovlen; ++i)
        size += message.msg_iov[i].iov_len;
      if constexpr (!base::single) total_ = kernel_size(size);
      return f(message);
    });
  }

  /// Bytes that the last with_message, or the single buffer, had room for.
  std::size_t total() const noexcept
  {
    if constexpr (base::single)
      return this->first().size();
    else
      return total_;
  }

private:
  struct nothing
  {};
  [[no_unique_address]] std::conditional_t<base::single, nothing, unsigned> total_;
};

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_OP_BUFFERS_HPP
