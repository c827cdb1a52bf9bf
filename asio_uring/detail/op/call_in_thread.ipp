// asio_uring/detail/op/call_in_thread.ipp
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_OP_CALL_IN_THREAD_IPP
#define ASIO_URING_DETAIL_OP_CALL_IN_THREAD_IPP

#include <asio_uring/detail/op/call_in_thread.hpp>
#include <asio_uring/ring/entry_kinds.hpp>
#include <asio_uring/ring/perform.hpp>
#include <asio_uring/ring/process.hpp>
#include <cerrno>
#include <fcntl.h>
#include <new>
#include <system_error>
#include <unistd.h>

namespace asio_uring::detail {

// --- one call

ASIO_URING_DECL call_in_thread::call_in_thread(calls_in_threads& all) noexcept : all_(all)
{
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) return;
  readable_.reset(ends[0]);
  writable_.reset(ends[1]);
}

ASIO_URING_DECL bool call_in_thread::take_back() noexcept { return all_.threads_->cancel(*this); }

/// Whether it waits for other threads or processes.
ASIO_URING_DECL bool call_in_thread::waits() const noexcept
{
  return !function_ && has_trait(entry_.get(), interruptible);
}

ASIO_URING_DECL void call_in_thread::start() noexcept
{
  if (all_.threads_->start(*this, waits())) return;
  if (waits())
    result_ = -ENOMEM;
  else
    perform(); // no thread can be started
  performed();
}

ASIO_URING_DECL void call_in_thread::perform() noexcept
{
  result_ = function_ ? function_(entry_.get()) : detail::perform(entry_.get(), asked_to_end_);
}

ASIO_URING_DECL void call_in_thread::performed() noexcept
{
  ended_.store(true, std::memory_order_release); // from here on another operation may use this object
  tell();                                        // and sees a spurious wake-up
}

// performed() sets ended_ before it writes, because the poll's completion may run at once, before write(2)
// returns.
ASIO_URING_DECL bool call_in_thread::ended_now() noexcept
{
  if (ended()) return true;
  drain(); // the signal of an earlier operation
  return ended();
}

ASIO_URING_DECL void call_in_thread::drain() noexcept
{
  char bytes[16];
  [[maybe_unused]] const auto drained = ::read(fd(), bytes, sizeof(bytes));
}

ASIO_URING_DECL void call_in_thread::tell() noexcept
{
  [[maybe_unused]] const auto written = ::write(writable_.get(), "", 1);
}

/// Replaces the pipe in a forked child, under the same descriptor numbers.
ASIO_URING_DECL void call_in_thread::renew_pipe() noexcept
{
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) return;
  ::dup3(ends[0], readable_.get(), O_CLOEXEC);
  ::dup3(ends[1], writable_.get(), O_CLOEXEC);
  ::close(ends[0]);
  ::close(ends[1]);
  if (used_ && ended()) tell();
}

ASIO_URING_DECL void call_in_thread::give_back::operator()(call_in_thread* call) const noexcept
{
  calls_in_threads& all = call->all_;
  if (!call->ended() && process::id() == all.process_ && !call->take_back())
    all.threads_->wait_until_unused([&](const worker_threads::job& j) { return &j == call; });
  call->drain();
  const std::lock_guard guard(all.mutex_);
  call->used_ = false;
  all.unused_.push_back(call);
}

// --- all of them

ASIO_URING_DECL calls_in_threads::calls_in_threads(asio::execution_context& context)
    : asio::execution_context::service(context), process_(process::id()), threads_(std::in_place)
{}

ASIO_URING_DECL bool calls_in_threads::possible(const io_uring_sqe& entry) noexcept
{
  return !(entry.flags & ~unsigned{IOSQE_ASYNC}) && how(entry) == performed::by_a_thread;
}

ASIO_URING_DECL int calls_in_threads::start(const io_uring_sqe& entry, call_pointer& call) noexcept
{
  return start(nullptr, entry, call);
}

ASIO_URING_DECL int calls_in_threads::start(call_in_thread::function function, const io_uring_sqe& arguments,
                                            call_pointer& call) noexcept
{
  try {
    call.reset(&unused());
  } catch (const std::bad_alloc&) {
    return -ENOMEM;
  } catch (const std::system_error& e) {
    return -e.code().value();
  }
  call->ended_.store(false, std::memory_order_relaxed);
  call->asked_to_end_.reset();
  call->function_ = function;
  call->entry_ = arguments;
  call->start();
  return 0;
}

ASIO_URING_DECL call_in_thread& calls_in_threads::unused()
{
  const std::lock_guard guard(mutex_);
  if (unused_.empty()) {
    unused_.reserve(calls_.size() + 1);
    calls_.push_back(std::make_unique<call_in_thread>(*this));
    if (calls_.back()->fd() < 0) {
      const int error = errno;
      calls_.pop_back();
      throw std::system_error(error, std::system_category(), "pipe");
    }
    unused_.push_back(calls_.back().get());
  }
  call_in_thread& call = *unused_.back();
  unused_.pop_back();
  call.used_ = true;
  return call;
}

// No call is in progress while the process forks, so each is made once. Except those that wait for others:
// parent and child both wait.
ASIO_URING_DECL void calls_in_threads::notify_fork(asio::execution_context::fork_event event)
{
  const std::lock_guard guard(mutex_);
  if (event == asio::execution_context::fork_prepare) {
    for (const auto& call : calls_)
      if (call->used_ && !call->ended() && !call->waits() && call->take_back()) {
        call->perform();
        call->performed();
      }
    return threads_->wait_until_unused(
        [](const worker_threads::job& j) { return !static_cast<const call_in_thread&>(j).waits(); });
  }
  if (event == asio::execution_context::fork_child) {
    process_ = process::id();
    threads_.emplace();
    for (const auto& call : calls_) {
      call->renew_pipe();
      if (call->used_ && !call->ended() && call->waits()) call->start();
    }
  }
}

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_OP_CALL_IN_THREAD_IPP
