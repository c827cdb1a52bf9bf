// asio_uring/service/guest_pump.ipp
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_SERVICE_GUEST_PUMP_IPP
#define ASIO_URING_SERVICE_GUEST_PUMP_IPP

#include <asio_uring/service/guest_pump.hpp>
#include <boost/asio/post.hpp>
#include <mutex>
#include <utility>

namespace asio_uring::detail {

/// Carries one completion to the context, and destroys it if the context ends first; without one, turns the
/// ring there.
class guest_pump::handler
{
public:
  explicit handler(guest_pump& p, completion* op = nullptr) noexcept : pump_(&p), op_(op) {}
  handler(handler&& other) noexcept : pump_(other.pump_), op_(std::exchange(other.op_, nullptr)) {}
  ~handler()
  {
    if (op_) op_->destroy();
  }

  void operator()()
  {
    pump_->service_.runs_here();
    if (!op_) return pump_->turn();
    struct scope
    {
      guest_pump* pump;
      guest_pump* outer = std::exchange(current_, pump);
      ~scope()
      {
        current_ = outer;
        pump->delivered();
      }
    } const s{pump_};
    std::exchange(op_, nullptr)->complete(pump_, error_code(), 0);
  }

private:
  guest_pump* pump_;
  completion* op_;
};

ASIO_URING_DECL guest_pump::guest_pump(asio::execution_context&, io_uring_service& service)
    : service_(service)
{}

ASIO_URING_DECL guest_pump::~guest_pump() = default;

ASIO_URING_DECL void guest_pump::attach(const asio::any_io_executor& ex)
{
  const std::lock_guard guard(attach_mutex_);
  if (has_executor_.load(std::memory_order_acquire)) return;
  executor_ = stock_executor(ex);
  ring_watch_.emplace(executor_, service_.get_ring().fd());
  has_executor_.store(true, std::memory_order_release);
}

ASIO_URING_DECL void guest_pump::work_started() noexcept
{
  operations_.fetch_add(1, std::memory_order_seq_cst);
  if (!stopped_) watch();
}

ASIO_URING_DECL void guest_pump::watch()
{
  if (watching_.exchange(true, std::memory_order_seq_cst)) return;
  ring_watch_->async_wait(asio::posix::descriptor_base::wait_read, [this](const error_code&) {
    watching_.store(false, std::memory_order_seq_cst);
    turn();
  });
  // The last operation may have been delivered by another thread before there was a wait to cancel.
  if (operations_.load(std::memory_order_seq_cst) == 0) stop_watching();
}

ASIO_URING_DECL void guest_pump::stop_watching() noexcept
{
  error_code ignored;
  ring_watch_->cancel(ignored);
}

ASIO_URING_DECL void guest_pump::wake() noexcept
{
  if (!stopped_) asio::post(executor_, handler(*this));
}

ASIO_URING_DECL void guest_pump::turn()
{
  if (stopped_) return;
  turn_again_.store(true, std::memory_order_seq_cst);
  if (turning_.exchange(true, std::memory_order_seq_cst))
    return; // the thread that is at it goes round once more
  do {
    while (turn_again_.exchange(false, std::memory_order_seq_cst)) {
      completion_queue ops;
      service_.turn(std::chrono::nanoseconds(0), ops);
      service_.set_idle(true);
      do
        service_.turn(std::chrono::nanoseconds(0), ops); // what came before the flag was up
      while (service_.get_ring().unsubmitted());         // a completion may have submitted something itself
      while (completion* op = ops.front()) {
        ops.pop();
        asio::post(executor_, handler(*this, op));
      }
    }
    turning_.store(false, std::memory_order_seq_cst);
  } while (turn_again_.load(std::memory_order_seq_cst) &&
           !turning_.exchange(true, std::memory_order_seq_cst));
  if (operations_.load(std::memory_order_seq_cst) > 0) watch();
}

// A handler has run: what it started is submitted, and the watch follows the operations in flight.
ASIO_URING_DECL void guest_pump::delivered() noexcept
{
  if (stopped_) return;
  if (service_.get_ring().unsubmitted()) service_.submit_now();
  if (operations_.fetch_sub(1, std::memory_order_seq_cst) > 1)
    watch();
  else if (watching_.load(std::memory_order_seq_cst))
    stop_watching();
}

ASIO_URING_DECL void guest_pump::withdraw() noexcept
{
  stopped_ = true;
  if (!ring_watch_) return;
  ring_watch_->release(); // the ring's descriptor belongs to the ring
  ring_watch_.reset();
}

ASIO_URING_DECL void guest_pump::restart()
{
  if (!ring_watch_) return;
  ring_watch_->release();
  ring_watch_.emplace(executor_, service_.get_ring().fd());
}

} // namespace asio_uring::detail

#endif // ASIO_URING_SERVICE_GUEST_PUMP_IPP
