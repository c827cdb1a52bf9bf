// asio_uring/detail/op/receive_source.hpp: receives into the buffers of a group before the program asks; the
// source of a stream.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_OP_RECEIVE_SOURCE_HPP
#define ASIO_URING_DETAIL_OP_RECEIVE_SOURCE_HPP

#include <asio_uring/detail/engine/buffer_group.hpp>
#include <asio_uring/detail/engine/description.hpp>
#include <asio_uring/detail/engine/file_state.hpp>
#include <asio_uring/detail/engine/received_buffer.hpp>
#include <asio_uring/detail/op/buffers.hpp>
#include ASIO_URING_ASIO(error.hpp)
#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <optional>
#include <poll.h>
#include <sys/socket.h>
#include <tuple>
#include <utility>

namespace asio_uring::detail {

/// Receives into the buffers of a group, by a multishot receive or by a poll and calls. Its results are a
/// list of filled buffers.
class received_source : public source
{
public:
  struct water_marks
  {
    std::uint16_t high, low; ///< in buffers: it pauses at `high` and goes on at `low`
  };

  ~received_source() override
  {
    while (count_ > 0)
      group_->put_back(pop());
  }
  bool uses(const buffer_group& group) const noexcept { return group_.get() == &group; }

protected:
  received_source(file_state& file, std::shared_ptr<buffer_group> group, const water_marks& marks) noexcept
      : source(file), marks_(marks), group_(std::move(group))
  {}

  /// Whether to receive only one buffer at a time: the program lags, or other sources wait for buffers.
  bool one_by_one() const noexcept { return singly_ > 0 || group_->scarce(); }
  void prepare_choice(io_uring_sqe& sqe, bool multishot) const noexcept
  {
    if (multishot) sqe.ioprio |= IORING_RECV_MULTISHOT;
    sqe.flags |= IOSQE_BUFFER_SELECT;
    sqe.buf_group = group_->id();
  }
  void describe(io_uring_sqe& sqe, int fd) noexcept final
  {
    polls_ = !group_->with_kernel();
    if (!polls_) return describe_receive(sqe, fd);
    io_uring_prep_poll_add(&sqe, fd, POLLIN);
    if (tells_changes() && file().service().features().multishot_poll()) sqe.len = IORING_POLL_ADD_MULTI;
  }
  virtual void describe_receive(io_uring_sqe& sqe, int fd) noexcept = 0;
  /// Receives into that buffer by a call. Returns what a completion would.
  virtual int call(int fd, unsigned buffer) noexcept = 0;

  bool polls() const noexcept final { return polls_; }
  int perform(int fd, unsigned& flags) noexcept final
  {
    const int buffer = group_->take();
    if (buffer < 0) return -ENOBUFS;
    const int result = call(fd, static_cast<unsigned>(buffer));
    if (result < 0)
      group_->put_back(static_cast<unsigned>(buffer));
    else
      flags = IORING_CQE_F_BUFFER | static_cast<unsigned>(buffer) << IORING_CQE_BUFFER_SHIFT;
    return result;
  }

  outcome receive(int result, unsigned flags) noexcept final
  {
    const bool filled = flags & IORING_CQE_F_BUFFER;
    const unsigned buffer = flags >> IORING_CQE_BUFFER_SHIFT;
    if (filled && !polls_) group_->taken(buffer);
    if (filled && result >= 0 && is_result(result)) {
      push(buffer, static_cast<unsigned>(result));
      if (singly_ > 0) --singly_;
      if (count_ >= marks_.high) singly_ = while_lagging;
      return outcome::result;
    }
    if (filled) group_->put_back(buffer);
    if (result == -ENOBUFS) return outcome::starved;
    return result == -EAGAIN ? outcome::nothing : outcome::end;
  }
  void leave(unsigned flags) noexcept final
  {
    if (!(flags & IORING_CQE_F_BUFFER)) return;
    const unsigned buffer = flags >> IORING_CQE_BUFFER_SHIFT;
    group_->taken(buffer);
    group_->put_back(buffer);
  }
  /// Whether a result that is no error is data, and not the end of the stream.
  virtual bool is_result(int result) const noexcept = 0;

  bool has_result() const noexcept override { return count_ > 0; }
  bool full(bool paused) const noexcept final { return paused ? count_ > marks_.low : count_ >= marks_.high; }
  bool wait_for_memory(place where) noexcept final { return group_->wait(*this, where); }
  bool waits_for_memory() const noexcept final { return group_->waits(*this); }
  bool withdraw() noexcept final { return group_->withdraw(*this); }
  bool settle_promise() noexcept final { return group_->settle(*this); }
  void pass_on() noexcept final { group_->pass_on(); }

  buffer_group& group() const noexcept { return *group_; }
  unsigned first() const noexcept { return first_; }
  received_buffer take_first() noexcept
  {
    const unsigned size = group()[first_].size;
    const unsigned buffer = pop();
    return received_buffer(group_, buffer, asio::const_buffer(group_->data(buffer), size));
  }
  unsigned pop() noexcept
  {
    const unsigned buffer = first_;
    first_ = group()[buffer].next;
    --count_;
    return buffer;
  }

private:
  void push(unsigned buffer, unsigned size) noexcept
  {
    group()[buffer].size = size;
    if (count_++ == 0)
      first_ = static_cast<std::uint16_t>(buffer);
    else
      group()[last_].next = static_cast<std::uint16_t>(buffer);
    last_ = static_cast<std::uint16_t>(buffer);
  }

  static constexpr unsigned char while_lagging = 64;

  bool polls_ = false;
  unsigned char singly_ = 0; // as many more are received one by one
  std::uint16_t count_ = 0, first_ = 0, last_ = 0;
  const water_marks marks_;
  const std::shared_ptr<buffer_group> group_;
};

/// Makes a buffer of its own, to be filled here: the free buffers of a group belong to the kernel. Throws
/// std::bad_alloc.
inline std::pair<received_buffer, std::byte*> make_buffer(ring_service& service, std::size_t size)
{
  if (size > received_buffer::largest) throw std::bad_alloc();
  auto own = std::make_shared<buffer_group>(service, 0, 1, 1, size, false);
  const auto buffer = static_cast<unsigned>(own->take());
  std::byte* const data = own->data(buffer);
  return {received_buffer(std::move(own), buffer, asio::const_buffer(data, size)), data};
}

inline received_source::water_marks marks_of(unsigned high, unsigned low) noexcept
{
  high = std::clamp(high, 1U, buffer_group::most_buffers);
  return {static_cast<std::uint16_t>(high), static_cast<std::uint16_t>(std::min(low, high - 1))};
}

/// Uses the file's source, which is made if there is none. Returns an error if it uses other buffers.
template <typename Source>
std::optional<int> use_received_source(file_state& file, const std::shared_ptr<buffer_group>& group,
                                       const received_source::water_marks& marks)
{
  const auto& used = file.use_source<Source>([&] { return std::make_unique<Source>(file, group, marks); });
  return used.uses(*group) ? std::nullopt : std::optional(-EALREADY);
}

/// The source of a stream socket.
class stream_source final : public received_source
{
public:
  stream_source(file_state& file, std::shared_ptr<buffer_group> group, const water_marks& marks) noexcept
      : received_source(file, std::move(group), marks)
  {}

  /// Takes the first buffer. Returns its size, 0 at the end of the stream, an error, or -EAGAIN.
  int take(received_buffer& into) noexcept
  {
    if (!has_result()) return take_end();
    into = returned_ ? std::move(*std::exchange(returned_, nullptr)) : take_first();
    return static_cast<int>(into.size());
  }

private:
  void describe_receive(io_uring_sqe& sqe, int fd) noexcept override
  {
    io_uring_prep_recv(&sqe, fd, nullptr, 0, 0);
    prepare_choice(sqe, !one_by_one());
  }
  int call(int fd, unsigned buffer) noexcept override
  {
    return result_of(::recv(fd, group().data(buffer), group().size(), MSG_DONTWAIT));
  }
  bool more(int result) const noexcept override { return static_cast<std::size_t>(result) == group().size(); }
  bool is_result(int result) const noexcept override { return result > 0; }
  bool has_result() const noexcept override { return returned_ || received_source::has_result(); }
  bool leave_to(kept_bytes& bytes) noexcept override
  {
    if (returned_) {
      if (!bytes.reserve(returned_->size())) return false;
      bytes.append(returned_->data(), returned_->size());
      returned_.reset();
    }
    while (has_result()) {
      const unsigned buffer = first(), size = group()[buffer].size;
      if (!bytes.reserve(size)) return false;
      bytes.append(group().data(buffer), size);
      group().put_back(pop());
    }
    return true;
  }
  bool take_over(kept_bytes& bytes) noexcept override
  try {
    auto [buffer, data] = make_buffer(file().service(), bytes.size());
    std::memcpy(data, bytes.data(), bytes.size());
    returned_ = std::make_unique<received_buffer>(std::move(buffer));
    bytes.consume(bytes.size());
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }

  std::unique_ptr<received_buffer> returned_; // taken first
};

/// Takes the next buffer from a stream's source.
class next_received_op
{
public:
  static constexpr lane_kind lane = lane_kind::in;
  static constexpr preference preferred = preference::by_completion;
  static constexpr bool from_source = true;

  int take_ahead(source& from) noexcept { return static_cast<stream_source&>(from).take(received_); }
  std::tuple<error_code, received_buffer> arguments(int result) noexcept
  {
    return {result == 0 ? error_code(asio::error::eof) : error_of(result), std::move(received_)};
  }

private:
  received_buffer received_;
};

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_OP_RECEIVE_SOURCE_HPP
