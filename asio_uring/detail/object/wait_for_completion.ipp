// asio_uring/detail/object/wait_for_completion.ipp
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_OBJECT_WAIT_FOR_COMPLETION_IPP
#define ASIO_URING_DETAIL_OBJECT_WAIT_FOR_COMPLETION_IPP

#include <asio_uring/detail/asio/scheduler.hpp>
#include <asio_uring/detail/object/wait_for_completion.hpp>
#include <chrono>

namespace asio_uring::detail {

class wait_state::sign_of_life : public completion
{
public:
  static void post(scheduler& s, std::shared_ptr<std::atomic<bool>> seen)
  {
    s.post_immediate_completion(new sign_of_life(std::move(seen)), false);
  }

private:
  explicit sign_of_life(std::shared_ptr<std::atomic<bool>> seen)
      : completion(&sign_of_life::complete), seen_(std::move(seen))
  {}
  static void complete(void* owner, completion* base, const error_code&, std::size_t)
  {
    const std::unique_ptr<sign_of_life> self(static_cast<sign_of_life*>(base));
    if (owner && self->seen_) self->seen_->store(true, std::memory_order_release);
  }

  std::shared_ptr<std::atomic<bool>> seen_;
};

ASIO_URING_DECL void wait_state::wake(scheduler& s) noexcept { sign_of_life::post(s, nullptr); }

ASIO_URING_DECL bool wait_state::inside() const
{
  return context_ && asio::has_service<scheduler>(*context_) &&
         asio::use_service<scheduler>(*context_).can_dispatch();
}

ASIO_URING_DECL bool wait_state::ended()
{
  const std::lock_guard guard(mutex_);
  return ended_;
}

ASIO_URING_DECL void wait_state::wait()
{
  using namespace std::chrono_literals;
  if (ended()) return;
  if (inside()) {
    cancel_.emit(asio::cancellation_type::terminal);
    refuse_own_thread();
  }

  std::unique_lock lock(mutex_);
  const auto is_over = [this] { return ended_; };
  if (!context_ || runs_itself_ || !asio::has_service<scheduler>(*context_)) {
    changed_.wait(lock, is_over); // others complete it
    return;
  }

  auto& s = asio::use_service<scheduler>(*context_);
  ring_service* uring =
      asio::has_service<ring_service>(*context_) ? &asio::use_service<ring_service>(*context_) : nullptr;
  bool seen_before = false;
  while (!ended_) {
    const auto last = uring ? uring->last_runner() : runner::unknown;
    const bool certain = !s.stopped() && has_thread_in_reactor(s);
    bool somebody = certain || (last != runner::gone && !s.stopped());
    if (somebody && !changed_.wait_for(lock, 1ms, is_over)) {
      const auto seen = std::make_shared<std::atomic<bool>>(false);
      lock.unlock();
      sign_of_life::post(s, seen);
      lock.lock();
      const auto limit = std::chrono::steady_clock::now() +
                         (certain || seen_before || last == runner::alive ? 1000ms : 20ms);
      changed_.wait_until(lock, limit, is_over);
      seen_before = seen->load(std::memory_order_acquire);
      somebody = seen_before || certain;
    }
    if (!somebody && !ended_) {
      run_by_waiter_ = &s;
      lock.unlock();
      run(s, uring);
      lock.lock();
      run_by_waiter_ = nullptr;
    }
  }
  lock.unlock();
  if (thrown_) std::rethrow_exception(thrown_);
}

// Runs the context until the operation has ended, or another thread has begun to run it.
ASIO_URING_DECL void wait_state::run(scheduler& s, ring_service* uring)
{
  bool stop = s.stopped();
  if (stop) s.restart();
  s.work_started(); // the operation may not count as work here
  bool others = false;
  while (!ended() && !others) {
    try {
      error_code ignored;
      s.run_one(ignored);
    } catch (...) {
      if (!thrown_) thrown_ = std::current_exception();
    }
    if (s.stopped()) {
      stop = true; // a handler asked for it, but the operation, which may use the caller's memory, has to end
                   // first
      s.restart();
    }
    others = uring && uring->last_runner() == runner::alive;
  }
  s.work_finished();
  if (stop)
    s.stop();
  else if (s.stopped() && !others)
    s.restart(); // it stopped for lack of work only
}

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_OBJECT_WAIT_FOR_COMPLETION_IPP
