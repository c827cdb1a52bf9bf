// asio_uring/service/operation.hpp: the record of one operation on a descriptor.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_SERVICE_OPERATION_HPP
#define ASIO_URING_SERVICE_OPERATION_HPP

#include <asio_uring/options.hpp>
#include <asio_uring/service/request.hpp>
#include <cstddef>
#include <vector>

namespace asio_uring::detail {

class descriptor;

/// Bytes that a cancelled read had already taken from the kernel; the next read gets them first.
class unread_bytes
{
public:
  bool empty() const noexcept { return empty_; }
  std::size_t size() const noexcept { return bytes_.size() - taken_; }
  const std::byte* data() const noexcept { return bytes_.data() + taken_; }
  void append(const void* data, std::size_t size)
  {
    const auto* first = static_cast<const std::byte*>(data);
    bytes_.insert(bytes_.end(), first, first + size);
    empty_ = bytes_.empty();
  }
  void consume(std::size_t size) noexcept
  {
    taken_ += size;
    if (taken_ == bytes_.size()) {
      bytes_.clear();
      taken_ = 0;
      empty_ = true;
    }
  }

private:
  std::vector<std::byte> bytes_;
  std::size_t taken_ = 0;
  bool empty_ = true; // asked before every read
};

/// Where an operation waits for its turn.
enum class lane_kind : unsigned char
{
  in,  ///< reads and accepts: one after the other
  out, ///< writes: one after the other, so bytes never interleave
  none ///< waits and connects: side by side
};

/// The path of an operation where neither the program nor the environment forces one.
enum class preference : unsigned char
{
  completion,
  readiness,
  by_load,         ///< readiness until peers run beside the loop: io_uring_service::follow_load
  always_submitted ///< completion, whatever is forced: a file is always ready, and a plain call would block
};

/// Owns all that the kernel may touch, and the handler. The same record serves both paths: it can be
/// submitted (prepare), or performed by a plain call that does not block (perform). Both leave a result as
/// the kernel gives it: a count, a descriptor, or a negative errno.
class operation : public completion, public request
{
public:
  struct type : request::type
  {
    lane_kind lane;
    preference preferred;
    /// Tries without blocking; -EAGAIN: not now.
    int (*perform)(operation&, int fd) noexcept;
    /// Whether after this result more is likely to be there at once.
    bool (*more)(const operation&, int result) noexcept;
    /// Whether this result is to be hidden and the operation tried again.
    bool (*retry)(const operation&, int result) noexcept;
    /// Of a stream read that was cancelled too late: leaves its bytes for the next one. False: they are there
    /// anyway.
    bool (*keep)(operation&, unread_bytes&);
    /// Takes bytes that an earlier read left.
    int (*take)(operation&, unread_bytes&);
    /// Whether it begins when what was started before it has ended.
    bool (*drains)(const operation&) noexcept;
  };

  int result() const noexcept { return result_; }

protected:
  operation(const type& t, completion::func_type complete, descriptor* d) noexcept
      : completion(complete), request(t), descriptor_(d)
  {}
  ~operation() = default;

  /// Where it stands on its way.
  enum class stage : unsigned char
  {
    ended,    ///< the result is there, the descriptor has let go
    waiting,  ///< in its lane: for its turn, or for the lane's poll
    due,      ///< in its lane, first: the loop runs it, and it performs itself; or it is doing so
    submitted ///< in the kernel, or its completion is on the way to the loop
  };
  /// What is submitted as a poll, one shot at first: what ended that in vain would end the next at once.
  enum class polling : unsigned char
  {
    once,
    standing, ///< from then on it tells changes alone
    over      ///< has brought what was waited for, result_, and was asked to end
  };
  bool stands() const noexcept { return polling_ == polling::standing; }
  stage where() const noexcept { return stage_; }
  descriptor* home() const noexcept { return descriptor_; }

  const type& get_type() const noexcept { return static_cast<const type&>(request::get_type()); }

  /// request::type::completed of every operation.
  ASIO_URING_DECL static void on_completion(request& r, int result, unsigned flags,
                                            completion_queue& out) noexcept;

  /// What it does with a result that is final.
  static void deliver(request& r, int result, completion_queue& out) noexcept
  {
    auto& self = static_cast<operation&>(r);
    assert(self.stage_ == stage::submitted); // exactly one completion is the last
    self.result_ = result;
    out.push(&self);
  }

  /// The file descriptor, -1 if the socket has been closed since. Not under the descriptor's lock.
  ASIO_URING_DECL int open_fd() const noexcept;

private:
  friend class descriptor;
  friend class io_uring_service;

  stage stage_ = stage::ended;
  bool cancelled_ = false;
  polling polling_ = polling::once;
  int result_;
  descriptor* const descriptor_; // null: never came to one
  operation* previous_;          // in the lane
  operation* following_;
  const void* cancellation_key_; // who may cancel it by slot
};

} // namespace asio_uring::detail

#endif // ASIO_URING_SERVICE_OPERATION_HPP
