// asio_uring/detail/engine/description.hpp: what the description of an operation has to have, and may have.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_DESCRIPTION_HPP
#define ASIO_URING_DETAIL_ENGINE_DESCRIPTION_HPP

#include <asio_uring/detail/engine/operation.hpp>
#include <asio_uring/detail/engine/submitted_message.hpp>
#include <asio_uring/misuse.hpp>
#include <asio_uring/ring/ring.hpp>
#include <concepts>
#include <cstddef>
#include <new>
#include <type_traits>

namespace asio_uring::detail {

/// Turns a kernel result into Asio's error code, and a misuse into the library's own.
inline error_code error_of(int result) noexcept
{
  if (result >= 0) return {};
  if (result <= -first_misuse) return error_code(-first_misuse - result, misuse_category());
  return error_code(-result, system_category());
}

/// What the ring performs, or a call: as a submission entry, and as a call that does not block.
template <typename D>
concept performed_description = requires(D& d, int fd, int result)
{
  {
    d.perform(fd)
    } -> std::same_as<int>; // -EAGAIN: not now
  {
    d.more(result)
    } -> std::same_as<bool>; // whether more is likely to be there at once
}
&&(
    requires(D& d, io_uring_sqe& sqe) { d.prepare(sqe, 0); } ||
    requires(D & d, io_uring_sqe& sqe, submitted_message& message) { d.prepare(sqe, 0, message); });

/// What a source serves.
template <typename D>
concept served_description = requires(D& d, source& s)
{
  D::from_source;
  {
    d.take_ahead(s)
    } -> std::same_as<int>; // -EAGAIN: there is nothing
};

/// An operation as data.
template <typename D>
concept description = (performed_description<D> || served_description<D>)&&requires(D& d, int result)
{
  {
    D::lane
    } -> std::convertible_to<lane_kind>;
  {
    D::preferred
    } -> std::convertible_to<preference>;
  d.arguments(result); // the handler's arguments as a tuple
};

/// What a description may have besides: what has it, does more.
template <description D>
struct description_traits
{
  /// `prepare(sqe, fd, message)`: it gets the lane's message header, and may have `read_back(const msghdr&)`,
  /// for what the kernel put there, with `report(int result)`, which tells the program and may throw.
  static constexpr bool uses_message = requires(D & d, io_uring_sqe& sqe, submitted_message& m)
  {
    d.prepare(sqe, 0, m);
  };
  /// `perform(file_state&)`, instead of perform(fd) where the loop performs it.
  static constexpr bool reads_ahead = requires(D & d, file_state& file) { d.perform(file); };
  /// `bool retry(int result)`, or `bool retry(int fd, int result)`: whether the result is to be hidden and
  /// the operation tried again.
  static constexpr bool retries_by_result = requires(D & d) { d.retry(0); };
  static constexpr bool retries = retries_by_result || requires(D & d) { d.retry(0, 0); };
  /// `int take(kept_bytes&)`, and `bool keep(int result, kept_bytes&)`: of a read that was cancelled too
  /// late.
  static constexpr bool keeps = requires(D & d, kept_bytes& bytes) { d.take(bytes); };
  /// `int take_ahead(source&)`: takes what the file's source has received; -EAGAIN: nothing. With
  /// `static constexpr bool from_source = true` that is all that it does: the source is there for it.
  static constexpr bool takes_ahead = requires(D & d, source& s) { d.take_ahead(s); };
  static constexpr bool from_source = requires { D::from_source; };
  /// `bool undo(int fd, int result)`: is tried before keep.
  static constexpr bool undoes = requires(D & d) { d.undo(0, 0); };
  /// `int finish(int fd, int result)`: called when the handler is about to run.
  static constexpr bool finishes = requires(D & d) { d.finish(0, 0); };
  /// `void discard(int result)`: for a result that nobody will get.
  static constexpr bool discards = requires(D & d) { d.discard(0); };
  /// `static constexpr bool notifies = true`: a zero-copy send (zero_copy_sends.hpp).
  static constexpr bool notifies = requires { D::notifies; };
  /// `static constexpr bool in_parts = true`: has effects before it ends: slot_cancellation.hpp.
  static constexpr bool in_parts = requires { requires D::in_parts; };
  /// `static constexpr bool polls = true`: is submitted as a poll.
  static constexpr bool polls = requires { D::polls; };
  /// `static constexpr bool connects = true`: Asio's service makes a socket non-blocking with it, in all
  /// versions.
  static constexpr bool connects = requires { D::connects; };
  /// `static constexpr bool may_need_worker = true`: the kernel may need a thread of its own for it.
  static constexpr bool may_need_worker = D::preferred == preference::always_submitted || requires
  {
    D::may_need_worker;
  };

  // Of what is not about one file. Where it is always submitted, `perform` and `more` are never called.

  /// `std::optional<int> refused(const ring&)`: a result instead of the submission.
  static constexpr bool may_be_refused = requires(D & d, const ring& r) { d.refused(r); };
  /// `int call_instead(ring_service&)` and `call()`: what a thread does for want of an opcode.
  static constexpr bool calls = requires(D & d) { d.call(); };
  /// `std::optional<int> completed(int result, unsigned flags)`: the operation's result, or nothing if the
  /// completion is not the last, as with a zero-copy send of the program's own entry. By whoever collects
  /// (request.hpp), and instead of what else becomes of an unexpected result: nothing is tried again. What
  /// delivers more than once is a source's: source.hpp.
  static constexpr bool completes_itself = requires(D & d) { d.completed(0, 0u); };
  /// `linked_requests& links()`, submitted instead of it, and `const operation** drains()`: null unless it
  /// waits for the file's operations that were started before it; else where the last of them is kept.
  static constexpr bool chained = requires(D & d) { d.links(); };
  /// `void for_each_late_number(f)`: calls f(fd) for what its entries may look up after their submission.
  static constexpr bool names_late = requires(D & d)
  {
    d.for_each_late_number([](int) {});
  };

  /// In no order with others, and never a call.
  static constexpr bool unordered =
      D::lane == lane_kind::none && D::preferred == preference::always_submitted && !chained;
};

// A description of one byte is where the operation has one to spare. The handler may take the end that
// another one leaves unused, unless it is made in its place, because it cannot be moved.
template <typename Description>
inline constexpr bool is_small = sizeof(Description) == 1 && std::is_trivially_copyable_v<Description>;
template <typename Description>
struct description_in_operation
{
  template <typename Describe>
  description_in_operation(Describe& describe, std::byte& place)
  {
    new (&place) Description(describe());
  }
};
template <typename Description>
struct moved_description
{
  template <typename Describe>
  moved_description(Describe& describe, std::byte&) : value(describe())
  {}
  [[no_unique_address]] Description value;
};
template <typename Description>
struct description_in_place
{
  template <typename Describe>
  description_in_place(Describe& describe, std::byte&) : value(describe())
  {}
  Description value;
};
template <typename Description>
using description_storage =
    std::conditional_t<is_small<Description>, description_in_operation<Description>,
                       std::conditional_t<std::is_nothrow_move_constructible_v<Description>,
                                          moved_description<Description>, description_in_place<Description>>>;

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_ENGINE_DESCRIPTION_HPP
