// asio_uring/service/guest_pump.hpp: the ring as a guest of any execution context, by Asio's public interface
// alone.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_SERVICE_GUEST_PUMP_HPP
#define ASIO_URING_SERVICE_GUEST_PUMP_HPP

#include <asio_uring/enable_io_uring.hpp>
#include <asio_uring/service/io_uring_service.hpp>
#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <boost/asio/strand.hpp>
#include <mutex>
#include <optional>

namespace asio_uring {

/// An executor whose I/O objects stay stock even where any_io_executor is on io_uring.
struct stock_executor : boost::asio::any_io_executor
{
  using boost::asio::any_io_executor::any_io_executor;
  stock_executor(const boost::asio::any_io_executor& ex) : boost::asio::any_io_executor(ex) {}
};

template <>
inline constexpr bool enable_io_uring<stock_executor> = false;

namespace detail {

/// The context's own reactor watches the ring's descriptor; each completion is posted to the context's
/// executor.
/**
 * The watch is armed only while operations are in flight, for a pending wait counts as work. It costs a run
 * of the loop of its own now and then, which run() and run_one() count.
 */
class guest_pump final : public pump
{
public:
  ASIO_URING_DECL guest_pump(asio::execution_context& context, io_uring_service& service);
  ASIO_URING_DECL ~guest_pump() override;

  pump_kind kind() const noexcept override { return pump_kind::guest; }
  ASIO_URING_DECL void work_started() noexcept override;
  void nothing_completed() noexcept override { operations_.fetch_add(1, std::memory_order_relaxed); }
  bool here() const noexcept override { return current_ == this; }
  bool native() const noexcept override { return false; }
  ASIO_URING_DECL void wake() noexcept override;
  ASIO_URING_DECL void withdraw() noexcept override;
  ASIO_URING_DECL void restart() override;

  /// Of the context, where that is an io_context.
  asio::io_context::executor_type io_executor() noexcept
  {
    return static_cast<asio::io_context&>(service_.context()).get_executor();
  }

  /// To be called with an executor of the context before the first operation.
  template <typename Executor>
  void use_executor(const Executor& ex)
  {
    if (!has_executor_.load(std::memory_order_acquire)) attach(innermost(ex));
  }

private:
  class handler;

  /// Without the strands around it, for the pump serves all objects of the context.
  template <typename Executor>
  static asio::any_io_executor innermost(const Executor& ex)
  {
    if constexpr (requires { ex.get_inner_executor(); })
      return innermost(ex.get_inner_executor());
    else if constexpr (std::is_base_of_v<asio::any_io_executor, Executor>) {
      if (auto* s = ex.template target<asio::strand<asio::io_context::executor_type>>())
        return s->get_inner_executor();
      if (auto* s = ex.template target<asio::strand<asio::any_io_executor>>())
        return innermost(s->get_inner_executor());
      return ex;
    } else
      return ex;
  }

  ASIO_URING_DECL void attach(const asio::any_io_executor& ex);
  ASIO_URING_DECL void turn();
  ASIO_URING_DECL void delivered() noexcept;
  ASIO_URING_DECL void watch();
  ASIO_URING_DECL void stop_watching() noexcept;

  inline static thread_local guest_pump* current_ = nullptr; // whose handler runs in this thread

  io_uring_service& service_;
  std::atomic<bool> has_executor_{false};
  std::mutex attach_mutex_;
  stock_executor executor_;
  std::optional<asio::posix::basic_stream_descriptor<stock_executor>> ring_watch_;
  std::atomic<std::size_t> operations_{0}; // started and not yet delivered
  std::atomic<bool> watching_{false};
  std::atomic<bool> turning_{false};
  std::atomic<bool> turn_again_{false};
  bool stopped_ = false;
};

} // namespace detail
} // namespace asio_uring

#if defined(ASIO_URING_HEADER_ONLY)
#include <asio_uring/service/guest_pump.ipp>
#endif

#endif // ASIO_URING_SERVICE_GUEST_PUMP_HPP
