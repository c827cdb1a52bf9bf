// asio_uring/detail/op/buffers.hpp: a user's buffer sequence as the kernel wants it.
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

/// A system call's outcome as the kernel gives it to a submitted operation.
inline int result_of(ssize_t outcome) noexcept { return outcome < 0 ? -errno : static_cast<int>(outcome); }

/// The same of a call that is made again when a signal interrupts it.
template <typename Call>
[[gnu::always_inline]] inline int uninterrupted(Call&& call)
{
  for (;;) {
    const ssize_t outcome = call();
    if (outcome >= 0) return static_cast<int>(outcome);
    if (errno != EINTR) return -errno;
  }
}

/// A size as the kernel takes it at once, MAX_RW_COUNT at most; a submission entry has 32 bits.
inline unsigned kernel_size(std::size_t size) noexcept
{
  return static_cast<unsigned>(std::min<std::size_t>(size, 0x7ffff000));
}

/// A borrowed buffer sequence: one address and length where it is a single buffer, a message with vectors
/// otherwise.
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

  /// Calls f(msghdr&) with vectors that live for the call; the first 64 buffers take part, as in Asio.
  template <typename F>
  auto with_message(F&& f) const
  {
    adapter vectors(buffers_);
    msghdr message{};
    message.msg_iov = vectors.buffers();
    message.msg_iovlen = vectors.count();
    return f(message);
  }

  /// Leaves the first `size` bytes for the next read. False: there is no memory for them.
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

  /// Gets bytes that an earlier read left, which stay there if `peek`.
  int take(kept_bytes& bytes, bool peek) const
  {
    const std::size_t size = asio::buffer_copy(buffers_, asio::const_buffer(bytes.data(), bytes.size()));
    if (!peek) bytes.consume(size);
    return static_cast<int>(size);
  }

private:
  [[no_unique_address]] Sequence buffers_;
};

/// The same for those who ask how much there was room for.
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

  /// Bytes asked for by the last with_message, or by the single buffer.
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
