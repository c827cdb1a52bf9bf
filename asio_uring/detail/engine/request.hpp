// asio_uring/detail/engine/request.hpp: what the kernel knows by its user_data.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_REQUEST_HPP
#define ASIO_URING_DETAIL_ENGINE_REQUEST_HPP

#include <asio_uring/detail/asio/names.hpp>
#include <asio_uring/ring/uapi.hpp>
#include <cassert>
#include <cstdint>

namespace asio_uring::detail {

class linked_requests;

/// Something that can be in the kernel: described by its submission entry, ended by its terminal completion.
/// Must live until completed() is called with IORING_CQE_F_MORE clear, whatever else happens.
class request
{
public:
  struct type
  {
    /// Fills a zeroed entry; user_data is set by the submitter.
    void (*prepare)(request&, io_uring_sqe&) noexcept;
    /// A completion arrived. Whatever becomes ready to run is pushed to the queue, once. Called by whoever
    /// collects: the loop, the keeper, or a synchronous function; by one of them at a time, and with no lock
    /// of a file held.
    void (*completed)(request&, int result, unsigned flags, completion_queue&) noexcept;
    /// Requests submitted instead of this one, or null. It is completed when they have all ended.
    linked_requests* (*links)(request&) noexcept = nullptr;
  };

  explicit request(const type& t) noexcept : type_(&t) {}
  request(const request&) = delete;
  request& operator=(const request&) = delete;

  void prepare(io_uring_sqe& sqe) noexcept { type_->prepare(*this, sqe); }
  void completed(int result, unsigned flags, completion_queue& out) noexcept
  {
    type_->completed(*this, result, flags, out);
  }

  linked_requests* links() noexcept { return type_->links ? type_->links(*this) : nullptr; }

protected:
  ~request() { assert(!backlogged()); }
  const type& get_type() const noexcept { return *type_; }

private:
  friend class submitter;

  /// What a request waits for in the submitter's backlog.
  enum wanted : std::uintptr_t
  {
    submission = 1, ///< it is not yet on the ring
    cancellation = 2,
    anything = 3
  };
  bool wants(wanted what) const noexcept { return backlog_ & what; }
  bool backlogged() const noexcept { return wants(anything); }
  void want(wanted what) noexcept { backlog_ |= what; }
  void want_only(wanted what) noexcept { backlog_ = (backlog_ & ~std::uintptr_t(anything)) | what; }
  request* next() const noexcept { return reinterpret_cast<request*>(backlog_ & ~std::uintptr_t(anything)); }
  void set_next(request* next) noexcept
  {
    backlog_ = reinterpret_cast<std::uintptr_t>(next) | (backlog_ & anything);
  }
  void leave_backlog() noexcept { backlog_ = 0; }

  const type* const type_;
  std::uintptr_t backlog_ = 0; // the next one there, and what this one wants: an address has bits to spare
};

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_ENGINE_REQUEST_HPP
