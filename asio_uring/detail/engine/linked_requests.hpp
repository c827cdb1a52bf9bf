// asio_uring/detail/engine/linked_requests.hpp: a chain of requests that is submitted in place of one.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_LINKED_REQUESTS_HPP
#define ASIO_URING_DETAIL_ENGINE_LINKED_REQUESTS_HPP

#include <asio_uring/config.hpp>
#include <asio_uring/detail/engine/request.hpp>
#include <asio_uring/ring/breaks_chain.hpp>
#include <asio_uring/ring/kept_entry.hpp>
#include <cerrno>
#include <memory>
#include <span>

namespace asio_uring::detail {

class submitter;

/// A chain of linked entries: published together, each with a completion of its own.
/**
 * To cancel the chain, the entry in progress is cancelled. The kernel then ends the entries linked behind it.
 * If the link is a hard one, it starts the next instead, which is cancelled in turn. The kernel does not find
 * an entry that it is about to start (ENOENT). One that it starts in a thread of its own, behind one that was
 * performed there, it finds but leaves alone (EALREADY), though that may begin to wait then. So it is asked
 * again until the entry has ended. All functions but result() are for the submitter, which holds its lock.
 */
class linked_requests
{
public:
  /// Copies the entries; they are linked already.
  explicit linked_requests(std::span<const io_uring_sqe> entries)
      : members_(std::make_unique<member[]>(entries.size())),
        size_(static_cast<unsigned>(entries.size())),
        canceller_(*this),
        ended_(size_)
  {
    for (unsigned i = 0; i < size_; ++i) {
      members_[i].all = this;
      members_[i].entry = entries[i];
    }
  }
  linked_requests(const linked_requests&) = delete;
  linked_requests& operator=(const linked_requests&) = delete;

  /// How many there are. Those from first() on are to be published.
  unsigned size() const noexcept { return size_; }
  unsigned first() const noexcept { return first_; }
  /// The kernel's result; ECANCELED for an entry that never reached the kernel.
  int result(unsigned i) const noexcept { return members_[i].result; }

  request& operator[](unsigned i) noexcept { return members_[i]; }
  request& canceller() noexcept { return canceller_; }

  /// Called when they are about to be published in place of `owner`.
  void start(detail::submitter& by, request& owner) noexcept
  {
    submitter_ = &by;
    owner_ = &owner;
    ended_ = first_;
    for (unsigned i = first_; i < size_; ++i)
      members_[i].ended = false;
    cancelled_ = cancelling_ = pausing_ = false;
  }

  /// Called when the ring that had them is given up and all have ended. True if they must be published again,
  /// from the first one on that was not performed. False if nothing is left to be performed, or if that would
  /// be out of order: entries behind a hard link may have been performed nevertheless.
  bool resume() noexcept
  {
    const auto performed = [this](unsigned i) { return members_[i].result != -ECANCELED; };
    unsigned next = first_;
    while (next < size_ && performed(next))
      ++next;
    if (next > first_ && breaks_chain(members_[next - 1].entry.get(), members_[next - 1].result))
      return false;
    for (unsigned i = next; i < size_; ++i)
      if (performed(i)) return false;
    first_ = next;
    return next < size_;
  }

  /// Ends those that are left as not performed, and the canceller, because completions of their ring cannot
  /// be seen. Without the submitter's lock.
  ASIO_URING_DECL void give_up(completion_queue& out) noexcept;

  /// Calls f(request&) for each that has not ended.
  template <typename F>
  void for_each_left(F&& f) noexcept
  {
    for (unsigned i = first_; i < size_; ++i)
      if (!members_[i].ended) f(static_cast<request&>(members_[i]));
  }

  /// Begins to cancel the chain. True if the canceller must be submitted.
  bool cancel() noexcept
  {
    if (cancelled_ || ended_ == size_) return false;
    return cancelled_ = cancelling_ = true;
  }

  /// Notes that an entry or the canceller has ended. True if the canceller must be submitted once more.
  bool ended(request& which, int result) noexcept
  {
    if (&which != &canceller_) {
      assert(!static_cast<member&>(which).ended && ended_ < size_);
      static_cast<member&>(which).ended = true;
      ++ended_;
      if (!cancelled_ || cancelling_) return false;
    } else {
      cancelling_ = false;
      if (pausing_ || target_->ended)
        pausing_ = false;
      else if (result < 0)
        pausing_ = true;
      else // found: it is going to end
        return false;
    }
    return cancelling_ = ended_ != size_;
  }

  bool all_ended() const noexcept { return ended_ == size_ && !cancelling_; }

private:
  struct member final : request
  {
    member() noexcept : request(functions()) {}
    ASIO_URING_DECL static const request::type& functions() noexcept;

    linked_requests* all = nullptr;
    kept_entry entry;
    int result = -ECANCELED;
    bool ended = true; // or not yet started
  };

  /// Cancels the first entry that has not ended, or is a pause before that is tried again.
  struct cancel_request final : request
  {
    explicit cancel_request(linked_requests& links) noexcept : request(functions()), all(links) {}
    ASIO_URING_DECL static const request::type& functions() noexcept;

    linked_requests& all;
  };

  const std::unique_ptr<member[]> members_;
  const unsigned size_;
  unsigned first_ = 0; // those before it were performed, on a ring that was given up
  cancel_request canceller_;
  detail::submitter* submitter_ = nullptr;
  request* owner_ = nullptr;
  member* target_ = nullptr; // of the canceller
  unsigned ended_;           // or not yet started
  bool cancelled_ = false;
  bool cancelling_ = false; // the canceller is submitted
  bool pausing_ = false;    // the canceller is a timeout
};

} // namespace asio_uring::detail

#if defined(ASIO_URING_HEADER_ONLY)
#include <asio_uring/detail/engine/submitter.hpp> // and then the functions
#endif

#endif // ASIO_URING_DETAIL_ENGINE_LINKED_REQUESTS_HPP
