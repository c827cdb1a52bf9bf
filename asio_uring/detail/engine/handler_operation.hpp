// asio_uring/detail/engine/handler_operation.hpp: a description and a handler make an operation.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_HANDLER_OPERATION_HPP
#define ASIO_URING_DETAIL_ENGINE_HANDLER_OPERATION_HPP

#include <asio_uring/detail/engine/description.hpp>
#include <asio_uring/detail/engine/file_state.hpp>
#include <asio_uring/detail/engine/handler_work.hpp>
#include <asio_uring/detail/engine/memory_of_record.hpp>
#include <asio_uring/detail/engine/operation.hpp>
#include <asio_uring/detail/engine/slot_cancellation.hpp>
#include <asio_uring/detail/engine/zero_copy_sends.hpp>
#include ASIO_URING_ASIO(associated_cancellation_slot.hpp)
#include ASIO_URING_ASIO(recycling_allocator.hpp)
#include <cstdint>
#include <memory>

namespace asio_uring::detail {

/// The one record of all operations. What differs between them is the description.
template <description Description, typename Handler, typename IoExecutor>
class handler_operation final : public operation
{
public:
  /// Starts the operation on an open descriptor. The description is made in its place by `describe()`.
  template <typename Describe>
  [[gnu::always_inline]] static void start(ring_service& service, file_state& d, bool io_native,
                                           Describe&& describe, Handler& handler, const IoExecutor& io_ex,
                                           const char* object, const char* name)
  {
    if constexpr (traits::uses_message)
      if (service.paths().may_submit(Description::preferred)) d.reserve_message(Description::lane);
    if constexpr (traits::chained) service.expect_links();
    auto slot = asio::get_associated_cancellation_slot(handler);
    const void* const key =
        slot.is_connected() ? &slot.template emplace<slot_cancellation>(&d, traits::in_parts) : nullptr;
    handler_operation& op = make(service, &d, io_native, describe, handler, io_ex, object, name);
    if constexpr (traits::may_be_refused)
      if (std::optional<int> result =
              service.with_ring([&](const ring& r) { return op.description().refused(r); })) {
        if constexpr (traits::calls)
          if (*result == -EOPNOTSUPP) result = op.description().call_instead(service);
        if (*result < 0) return service.complete(op, *result, traits::unordered);
      }
    if constexpr (Description::lane == lane_kind::out)
      if (d.begin_send(Description::preferred)) return d.end_send(op, key, op.description().perform(d.fd()));
    if constexpr (traits::unordered)
      d.start_unordered(op, key);
    else if constexpr (traits::from_source)
      d.start_from_source(op, key);
    else
      d.start(op, Description::lane, Description::preferred, key);
  }

  /// Completes an operation that need not, or cannot, be started.
  template <typename Describe>
  [[gnu::cold]] static void complete(ring_service& service, file_state* d, bool io_native, int result,
                                     Describe&& describe, Handler& handler, const IoExecutor& io_ex,
                                     const char* object, const char* name)
  {
    service.complete(make(service, d, io_native, describe, handler, io_ex, object, name), result,
                     traits::unordered && d);
  }

private:
  using traits = description_traits<Description>;

  template <typename Describe>
  [[gnu::always_inline]] static handler_operation&
  make(ring_service& service, file_state* d, bool io_native, Describe& describe, Handler& handler,
       const IoExecutor& io_ex, [[maybe_unused]] const char* object, [[maybe_unused]] const char* name)
  {
    memory record(handler, d);
    auto* op = new (record.address) handler_operation(describe, handler, io_ex, service, io_native, d);
    if constexpr (traits::names_late) op->name_numbers(service.numbers());
    record.address = nullptr;
    ASIO_URING_HANDLER_CREATION(
        (service.context(), *op, object, d, static_cast<std::uintmax_t>(d ? d->fd() : -1), name));
    return *op;
  }

  using memory = memory_of_record<handler_operation, Handler>;

  // A record whose operation has ended. It goes before the upcall, and with an exception that comes earlier.
  class ended_record
  {
  public:
    explicit ended_record(handler_operation& op) : op_(&op), memory_(op, op.handler_, op.home()) {}
    [[gnu::always_inline]] ~ended_record() { release(); }
    [[gnu::always_inline]] void release() noexcept
    {
      if (!op_) return;
      std::exchange(op_, nullptr)->~handler_operation();
      memory_.release();
    }

  private:
    handler_operation* op_;
    memory memory_;
  };

  template <typename Describe>
  [[gnu::always_inline]] handler_operation(Describe& describe, Handler& handler, const IoExecutor& io_ex,
                                           ring_service& service, bool io_native, file_state* home,
                                           held_executors held = held_executors::none)
      : operation(operation_type, &handler_operation::do_complete, home),
        description_(describe, small_),
        handler_(std::move(handler)),
        executors_(service, io_native, handler_, io_ex, held)
  {
    held_ = held;
  }
  ~handler_operation() { executors_.release(held_); }

  /// The numbers that its entries may look up late stay occupied until it has ended.
  void name_numbers(late_numbers& numbers)
  {
    int named = 0;
    try {
      description().for_each_late_number([&](int fd) { numbers.add(fd), ++named; });
    } catch (...) {
      description().for_each_late_number([&](int fd) {
        if (named-- > 0) numbers.remove(fd);
      });
      this->~handler_operation();
      throw;
    }
  }

  Description& description() noexcept
  {
    if constexpr (is_small<Description>)
      return *std::launder(reinterpret_cast<Description*>(&small_));
    else
      return description_.value;
  }
  static Description& description_of(request& r) noexcept
  {
    return static_cast<handler_operation&>(static_cast<operation&>(r)).description();
  }
  static Description& description_of(const operation& op) noexcept
  {
    return const_cast<handler_operation&>(static_cast<const handler_operation&>(op)).description();
  }

  static void do_prepare(request& r, io_uring_sqe& sqe) noexcept
  {
    auto& self = static_cast<handler_operation&>(static_cast<operation&>(r));
    if constexpr (traits::uses_message)
      self.description().prepare(sqe, self.home()->fd(), self.home()->message(Description::lane));
    else if constexpr (!traits::from_source)
      self.description().prepare(sqe, self.home()->fd());
    if constexpr (traits::polls)
      if (self.stands()) sqe.len = IORING_POLL_ADD_MULTI;
    if constexpr (Description::preferred == preference::always_submitted)
      if (const int place = self.home()->registered(); place >= 0) registered_files::apply(sqe, place);
  }
  static void do_completed(request& r, int result, unsigned flags, completion_queue& out) noexcept
  {
    if constexpr (traits::calls)
      if (description_of(r).call() && !call_ended(r, result)) [[unlikely]]
        return;
    if constexpr (traits::completes_itself) {
      const auto last = description_of(r).completed(result, flags);
      if (last && !came_to_rest(r, *last)) deliver(r, *last, out);
    } else if (traits::unordered && result >= 0) [[likely]]
      deliver(r, result, out);
    else
      on_completion(r, result, flags, out);
  }
  /// The ring has waited for a call that a thread makes. False: it waits again.
  ASIO_URING_COLD static bool call_ended(request& r, int& result) noexcept
  {
    auto& self = static_cast<handler_operation&>(static_cast<operation&>(r));
    auto& call = *self.description().call();
    if (call.ended_now())
      result = call.result();
    else if (self.home()->is_given_up(self) && call.take_back())
      result = -ECANCELED;
    else {
      self.home()->service().push(self);
      return false;
    }
    return true;
  }
  static int do_perform(operation& op, int fd) noexcept
  {
    if constexpr (traits::from_source)
      return -EAGAIN;
    else
      return description_of(op).perform(fd);
  }
  static linked_requests* do_links(request& r) noexcept
  {
    if constexpr (traits::chained)
      return &description_of(r).links();
    else
      return nullptr;
  }
  static const operation** do_drains(operation& op) noexcept
  {
    if constexpr (traits::chained)
      return description_of(op).drains();
    else
      return nullptr;
  }
  static bool do_more(const operation& op, int result) noexcept
  {
    if constexpr (traits::from_source)
      return false;
    else
      return description_of(op).more(result);
  }
  static bool do_retry(const operation& op, int result) noexcept
  {
    if constexpr (traits::retries_by_result)
      return description_of(op).retry(result);
    else if constexpr (traits::retries)
      return description_of(op).retry(static_cast<const handler_operation&>(op).home()->fd(), result);
    else
      return false;
  }
  static bool do_undo(operation& op, int fd) noexcept
  {
    if constexpr (traits::undoes)
      return description_of(op).undo(fd, op.result());
    else
      return false;
  }
  static bool do_keep(operation& op, kept_bytes& bytes) noexcept
  {
    if constexpr (requires(Description & d) { d.keep(0, bytes); })
      return description_of(op).keep(op.result(), bytes);
    else
      return false;
  }
  static int do_take(operation& op, kept_bytes& bytes)
  {
    if constexpr (traits::keeps)
      return description_of(op).take(bytes);
    else
      return 0;
  }

  static int do_take_ahead(operation& op, source& from) noexcept
  {
    if constexpr (traits::takes_ahead)
      return description_of(op).take_ahead(from);
    else
      return -EAGAIN;
  }

  static constexpr auto collected = traits::notifies ? &zero_copy_sends::completed
                                    : traits::completes_itself || traits::unordered ? &do_completed
                                                                                    : &on_completion;
  static constexpr operation::type operation_type = {
      {&do_prepare, collected, traits::chained ? &do_links : nullptr},
      Description::lane,
      Description::preferred,
      &do_perform,
      &do_more,
      traits::retries ? &do_retry : nullptr,
      traits::keeps ? &do_keep : nullptr,
      traits::undoes ? &do_undo : nullptr,
      traits::keeps ? &do_take : nullptr,
      traits::takes_ahead ? &do_take_ahead : nullptr,
      traits::from_source,
      traits::chained ? &do_drains : nullptr,
      traits::may_need_worker};

  // Tells the program what else came with the result. Where that fails, for the sender's address does not
  // fit, the operation goes on, as Asio's does, while the exception leaves the loop.
  [[gnu::always_inline]] void report([[maybe_unused]] int result)
  {
    if constexpr (requires(Description & d) { d.report(0); }) try {
        description().report(result);
      } catch (...) {
        home()->run_again(*this);
        throw;
      }
  }

  // Leaves its file state with a result. False: it waits again, and may be gone already.
  [[gnu::always_inline]] bool end(void* owner)
  {
    if (has_ended()) return true;
    file_state& d = *home();
    if constexpr (traits::unordered) {
      d.settle_unordered(*this);
      return true;
    }
    if constexpr (traits::from_source) {
      if (where() == stage::due && owner) return d.end_from_source(*this);
    } else if constexpr (Description::lane != lane_kind::none)
      if (where() == stage::due && owner) {
        if (!d.begin_call(*this, Description::lane)) return true;
        int result;
        if constexpr (traits::reads_ahead)
          result = description().perform(d);
        else
          result = description().perform(d.fd());
        report(result);
        return d.end_call(*this, Description::lane, result, description().more(result),
                          traits::retries && do_retry(*this, result));
      }
    if constexpr (requires(Description & description, const msghdr& m) { description.read_back(m); })
      if (where() == stage::submitted && result() >= 0) {
        description().read_back(d.message(Description::lane).get());
        if (owner) report(result());
      }
    if constexpr (Description::lane != lane_kind::none)
      d.settle_submitted(*this, Description::lane);
    else
      d.settle(*this);
    return true;
  }

  static void do_complete(void* owner, completion* base, const error_code&, std::size_t)
  {
    auto* self = static_cast<handler_operation*>(static_cast<operation*>(base));
    [[maybe_unused]] const int fd = traits::finishes ? self->open_fd() : -1;
    if (!self->end(owner)) [[unlikely]]
      return;
    // Whatever is thrown from here on, the operation has ended: it has been counted, and its record goes.
    const counted_operation until_the_handler_returns(owner ? self->home() : nullptr);
    ended_record record(*self);
    int result = self->result();
    if constexpr (traits::finishes)
      if (owner) result = self->description().finish(fd, result);

    if constexpr (traits::names_late)
      if (file_state* d = self->home())
        self->description().for_each_late_number([&](int n) { d->service().numbers().remove(n); });

    ASIO_URING_HANDLER_COMPLETION((*self));
    if (!owner) [[unlikely]] {
      if constexpr (traits::discards) self->description().discard(result);
      // The handler may own the last reference to the allocator's memory: it goes after the record.
      [[maybe_unused]] const Handler handler(std::move(self->handler_));
      record.release();
      return;
    }
    // Everything the upcall needs leaves the record, then the record goes, then the upcall.
    auto arguments = self->description().arguments(result);
    if constexpr (std::is_same_v<decltype(arguments), std::tuple<error_code, std::size_t>>) {
      ASIO_URING_HANDLER_INVOCATION_BEGIN((std::get<0>(arguments), std::get<1>(arguments)));
    } else {
      ASIO_URING_HANDLER_INVOCATION_BEGIN((std::get<0>(arguments)));
    }
    if (self->held_ == held_executors::none) [[likely]] {
      Handler handler(std::move(self->handler_));
      record.release();
      call(handler, arguments);
    } else {
      handler_work<Handler, IoExecutor> work(self->executors_, self->held_);
      self->held_ = held_executors::none;
      bound_handler<Handler, decltype(arguments)> bound(std::move(self->handler_), std::move(arguments));
      record.release();
      work.dispatch(std::move(bound), owner);
    }
    ASIO_URING_HANDLER_INVOCATION_END;
  }

  // Operations of no order are one piece of the scheduler's work, with the handler that runs.
  class counted_operation
  {
  public:
    explicit counted_operation(file_state* home) noexcept : home_(traits::unordered ? home : nullptr) {}
    [[gnu::always_inline]] ~counted_operation()
    {
      if (home_) home_->service().shared_work_finished();
    }

  private:
    file_state* const home_;
  };

  [[no_unique_address]] description_storage<Description> description_;
  Handler handler_;
  [[no_unique_address]] executors_in_record<Handler, IoExecutor> executors_;
};

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_ENGINE_HANDLER_OPERATION_HPP
