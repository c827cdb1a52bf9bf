// asio_uring/detail/op/datagram_source.hpp: receives datagrams before the program asks for them.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_OP_DATAGRAM_SOURCE_HPP
#define ASIO_URING_DETAIL_OP_DATAGRAM_SOURCE_HPP

#include <algorithm>
#include <asio_uring/detail/engine/description.hpp>
#include <asio_uring/detail/engine/received_datagram.hpp>
#include <asio_uring/detail/op/receive_source.hpp>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <optional>
#include <sys/socket.h>
#include <tuple>
#include <unistd.h>
#include <utility>

namespace asio_uring::detail {

class datagram_source final : public received_source
{
public:
  datagram_source(file_state& file, std::shared_ptr<buffer_group> group, const water_marks& marks,
                  const datagram_layout& layout) noexcept
      : received_source(file, std::move(group), marks), layout_(layout)
  {
    asked_.msg_namelen = datagram_layout::sender_room;
    asked_.msg_controllen = layout.control_room();
  }
  ~datagram_source() override
  {
    while (received_source::has_result())
      drop_first();
  }

  bool has_layout(const datagram_layout& other) const noexcept
  {
    return layout_.control_room() == other.control_room();
  }
  /// Takes the first datagram. Returns 0, an error, or -EAGAIN.
  int take(received_buffer& into) noexcept
  {
    if (has_earlier()) return take_earlier(into);
    if (!has_result()) return take_end();
    into = take_first();
    return 0;
  }

private:
  // Always multishot: a single receive has another layout, and no buffer for an empty datagram. Where buffers
  // are scarce, it may take more than one: a source whose promised buffer it took waits first in line
  // (source::place::first).
  void describe_receive(io_uring_sqe& sqe, int fd) noexcept override
  {
    io_uring_prep_recvmsg(&sqe, fd, &asked_, MSG_CMSG_CLOEXEC);
    prepare_choice(sqe, true);
  }
  int call(int fd, unsigned buffer) noexcept override
  {
    std::byte* const at = group().data(buffer);
    const std::size_t payload_at = layout_.payload_at();
    iovec payload = {at + payload_at, group().size() - payload_at};
    msghdr message = asked_;
    message.msg_name = at + datagram_layout::sender_at;
    message.msg_control = at + datagram_layout::control_at;
    message.msg_iov = &payload;
    message.msg_iovlen = 1;
    const int size = uninterrupted([&] { return ::recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC); });
    if (size < 0) return size;
    datagram_layout::set_header(at, {.namelen = message.msg_namelen,
                                     .controllen = static_cast<std::uint32_t>(message.msg_controllen),
                                     .payloadlen = static_cast<std::uint32_t>(size),
                                     .flags = static_cast<std::uint32_t>(message.msg_flags)});
    return static_cast<int>(payload_at) + size;
  }
  bool is_result(int result) const noexcept override
  {
    return static_cast<std::size_t>(result) >= layout_.payload_at();
  }
  bool has_result() const noexcept override { return has_earlier() || received_source::has_result(); }

  std::optional<datagram> first_datagram() noexcept override
  {
    if (has_earlier()) return earlier_->first();
    if (!received_source::has_result()) return std::nullopt;
    return layout_.view(group().data(first()), group()[first()].size);
  }
  void remove_first_datagram() noexcept override
  {
    if (has_earlier())
      earlier_->remove_first();
    else
      drop_first();
  }
  void take_over_datagrams(std::unique_ptr<datagrams_ahead> ahead) noexcept override
  {
    earlier_ = std::move(ahead);
  }

  bool has_earlier() const noexcept { return earlier_ && !earlier_->empty(); }
  int take_earlier(received_buffer& into) noexcept
  try {
    const datagram d = earlier_->first();
    const std::size_t payload_at = layout_.payload_at();
    auto [buffer, at] = make_buffer(file().service(), payload_at + d.size);
    datagram_layout::set_header(at, {.namelen = d.sender_size,
                                     .controllen = 0,
                                     .payloadlen = static_cast<std::uint32_t>(d.size),
                                     .flags = static_cast<std::uint32_t>(d.message_flags)});
    std::memcpy(at + datagram_layout::sender_at, d.sender,
                std::min<std::size_t>(d.sender_size, datagram_layout::sender_room));
    if (d.size > 0) std::memcpy(at + payload_at, d.data, d.size);
    earlier_->remove_first();
    into = std::move(buffer);
    return 0;
  } catch (const std::bad_alloc&) {
    return -ENOMEM;
  }
  /// Drops the first datagram and closes the descriptors that it carries.
  void drop_first() noexcept
  {
    const std::byte* const at = group().data(first());
    close_descriptors(at + datagram_layout::control_at, datagram_layout::header(at).controllen);
    group().give_back(pop());
  }
  static void close_descriptors(const std::byte* control, std::size_t size) noexcept
  {
    cmsghdr header;
    while (size >= sizeof header) {
      std::memcpy(&header, control, sizeof header);
      if (header.cmsg_len < sizeof header || header.cmsg_len > size) return;
      if (header.cmsg_level == SOL_SOCKET && header.cmsg_type == SCM_RIGHTS)
        for (std::size_t i = CMSG_LEN(0); i + sizeof(int) <= header.cmsg_len; i += sizeof(int)) {
          int fd;
          std::memcpy(&fd, control + i, sizeof fd);
          ::close(fd);
        }
      const std::size_t step = std::min<std::size_t>(CMSG_ALIGN(header.cmsg_len), size);
      control += step;
      size -= step;
    }
  }

  const datagram_layout layout_;
  msghdr asked_{};                           // room for the sender and for control messages
  std::unique_ptr<datagrams_ahead> earlier_; // taken first
};

/// Uses the file's source, which is made if there is none. Returns an error if it uses other buffers or
/// another layout.
inline std::optional<int> use_datagram_source(file_state& file, const std::shared_ptr<buffer_group>& group,
                                              const received_source::water_marks& marks,
                                              const datagram_layout& layout)
{
  if (layout.control_room() >= group->size() || layout.payload_at() >= group->size()) return -EINVAL;
  const auto& used = file.use_source<datagram_source>(
      [&] { return std::make_unique<datagram_source>(file, group, marks, layout); });
  return used.uses(*group) && used.has_layout(layout) ? std::nullopt : std::optional(-EALREADY);
}

/// Takes the next datagram from the socket's source.
template <typename Protocol>
class next_datagram_op
{
public:
  static constexpr lane_kind lane = lane_kind::in;
  static constexpr preference preferred = preference::by_completion;
  static constexpr bool from_source = true;

  explicit next_datagram_op(const datagram_layout& layout) noexcept : layout_(layout) {}

  int take_ahead(source& from) noexcept { return static_cast<datagram_source&>(from).take(received_); }
  std::tuple<error_code, received_datagram<Protocol>> arguments(int result) noexcept
  {
    if (result < 0) return {error_of(result), received_datagram<Protocol>()};
    return {error_code(), received_datagram<Protocol>(std::move(received_), layout_)};
  }

private:
  received_buffer received_;
  datagram_layout layout_;
};

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_OP_DATAGRAM_SOURCE_HPP
