// asio_uring/detail/object/service_on_ring.hpp: the common base of the services of sockets and descriptors.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_OBJECT_SERVICE_ON_RING_HPP
#define ASIO_URING_DETAIL_OBJECT_SERVICE_ON_RING_HPP

#include <asio_uring/detail/asio/contract.hpp>
#include <asio_uring/detail/asio/members.hpp>
#include <asio_uring/detail/engine/handler_operation.hpp>
#include <asio_uring/detail/engine/use_ring_service.hpp>
#include <asio_uring/detail/op/wait.hpp>
#include ASIO_URING_ASIO(error.hpp)
#include <fcntl.h>
#include <sys/ioctl.h>

namespace asio_uring::detail {

enum class tribool : unsigned char
{
  unknown,
  no,
  yes
};

/// Sets up the ring before a stock service looks for the context's reactor.
class with_ring
{
protected:
  explicit with_ring(asio::execution_context& context) : uring_(use_ring_service(context)) {}
  ring_service& uring_;
};

/// A stock service whose objects also have a file state. The synchronous functions are the stock service's.
template <typename Stock>
class service_on_ring : protected with_ring, public Stock
{
public:
  using native_handle_type = int;

  struct implementation_type : Stock::implementation_type
  {
    file_state* file_ = nullptr;         // while open
    tribool on_loop_ = tribool::unknown; // whether the executor is the loop's own; known once used
    bool connects_ = false;              // has connected or accepted, or tried to
    bool accepted_ = false;              // is a TCP connection that an acceptor of ours has accepted
    void forget_operations() noexcept
    {
      on_loop_ = tribool::unknown;
      connects_ = false;
    }
  };

  explicit service_on_ring(asio::execution_context& context) : with_ring(context), Stock(context) {}

  /// The pointer to a service that Asio's I/O objects take when they are moved between executors. A stock
  /// object would mistake it for its own service, and never learn of readiness: that does not compile.
  class address
  {
  public:
    explicit address(service_on_ring* service) noexcept : service_(service) {}
    template <typename Service>
    operator Service*() const noexcept
    {
      static_assert(
          !std::is_same_v<Service, Stock>,
          "asio_uring: an I/O object on io_uring cannot be moved into a stock one. Give that the executor "
          "type asio_uring::any_io_executor: beast::basic_stream<tcp, asio_uring::any_io_executor>, for "
          "instance, in the place of beast::tcp_stream. Or leave io_uring: release() the one, assign() the "
          "descriptor to the other");
      return static_cast<Service*>(service_);
    }

  private:
    service_on_ring* service_;
  };
  address operator&() noexcept { return address(this); }

  void construct(implementation_type& impl)
  {
    Stock::construct(impl);
    impl.file_ = nullptr;
    impl.forget_operations();
  }

  void destroy(implementation_type& impl)
  {
    close_file(impl);
    Stock::destroy(impl);
  }

  void move_construct(implementation_type& impl, implementation_type& other) noexcept
  {
    Stock::move_construct(impl, other);
    take_descriptor(impl, other);
  }

  void move_assign(implementation_type& impl, service_on_ring& other_service, implementation_type& other)
  {
    close_file(impl);
    Stock::move_assign(impl, other_service, other);
    take_descriptor(impl, other);
  }

  error_code close(implementation_type& impl, error_code& ec)
  {
    close_file(impl);
    return Stock::close(impl, ec);
  }

  int release(implementation_type& impl, error_code& ec)
  {
    if (has_unread(impl)) return ec = asio::error::try_again, -1;
    leave_non_blocking(impl);
    close_descriptor(impl);
    return Stock::release(impl, ec);
  }

  // Asio's services make a descriptor non-blocking with its first asynchronous operation. Ours need not. It
  // is done when the program asks for the descriptor or its mode, for it may rely on that.

  int native_handle(implementation_type& impl)
  {
    leave_non_blocking(impl);
    if (impl.file_) impl.file_->stop_reading_ahead();
    return Stock::native_handle(impl);
  }

  bool native_non_blocking(const implementation_type& impl) const
  {
    const_cast<service_on_ring&>(*this).leave_non_blocking(const_cast<implementation_type&>(impl));
    return Stock::native_non_blocking(impl);
  }
  error_code native_non_blocking(implementation_type& impl, bool mode, error_code& ec)
  {
    Stock::native_non_blocking(impl, mode, ec);
    if (!ec && !mode) impl.forget_operations();
    return ec;
  }

  using Stock::non_blocking;
  error_code non_blocking(implementation_type& impl, bool mode, error_code& ec)
  {
    Stock::non_blocking(impl, mode, ec);
    if (!ec && !mode) impl.forget_operations();
    return ec;
  }

  template <typename Command>
  error_code io_control(implementation_type& impl, Command& command, error_code& ec)
  {
    const std::size_t kept = command.name() == FIONREAD && finds_kept(impl) ? impl.file_->kept_size() : 0;
    Stock::io_control(impl, command, ec);
    if (command.name() == FIONREAD && !ec && impl.file_)
      if (const auto next = impl.file_->next_datagram())
        return *static_cast<int*>(command.data()) = static_cast<int>(*next), ec;
    if (kept && !ec) *static_cast<int*>(command.data()) += static_cast<int>(kept);
    return ec;
  }

  error_code cancel(implementation_type& impl, error_code& ec)
  {
    if (!this->is_open(impl)) return ec = asio::error::bad_descriptor;
    impl.file_->cancel_all();
    return ec = error_code();
  }

protected:
  /// Returns whether nothing of the file was in flight.
  bool close_descriptor(implementation_type& impl)
  {
    impl.forget_operations();
    return impl.file_ && std::exchange(impl.file_, nullptr)->close();
  }

  /// Ends all operations before Asio's service closes the file. If entries may still look up the number, it
  /// closes a duplicate instead; a connection that was accepted may be left to the kernel's next enter.
  void close_file(implementation_type& impl)
  {
    if (!impl.file_) return;
    const bool idle = close_descriptor(impl);
    int& number = descriptor_of(impl);
    const int to_close = uring_.numbers().number_to_close(number);
    if constexpr (is_socket<implementation_type>)
      if (idle && to_close == number && impl.accepted_ && !(state_of(impl) & socket_ops::user_set_linger) &&
          uring_.close_with_next_enter(number)) {
        number = -1;
        return;
      }
    number = to_close;
  }

  /// Submits what was started before a synchronous function. A closed object has started nothing, and may
  /// have outlived its context.
  static void flush(const implementation_type& impl) noexcept
  {
    if (impl.file_) impl.file_->service().flush(impl.file_);
  }

  /// Sets O_NONBLOCK if Asio's service would have done so by now.
  void leave_non_blocking(implementation_type& impl)
  {
    constexpr bool all = transfers_set_non_blocking || !is_socket<implementation_type>;
    const bool done = all ? impl.on_loop_ != tribool::unknown : impl.connects_;
    error_code ignored;
    if (done && impl.file_ && !Stock::native_non_blocking(impl))
      Stock::native_non_blocking(impl, true, ignored);
  }

  template <typename OtherImplementation>
  static void take_descriptor(implementation_type& impl, OtherImplementation& other) noexcept
  {
    impl.file_ = std::exchange(other.file_, nullptr);
    impl.on_loop_ = other.on_loop_;
    impl.connects_ = other.connects_;
    impl.accepted_ = other.accepted_;
  }

  /// Refuses a closed descriptor, as Asio's reactor does when it registers one.
  static error_code check_descriptor(int fd) noexcept
  {
    return ::fcntl(fd, F_GETFD) < 0 ? error_code(errno, system_category()) : error_code();
  }

  bool has_kept(const implementation_type& impl) const
  {
    return impl.file_ && (impl.file_->kept_size() || impl.file_->next_datagram());
  }

  /// Whether bytes or datagrams that were received ahead are left: they cannot be put back into the socket.
  bool has_unread(const implementation_type& impl) const
  {
    if (!impl.file_) return false;
    if (impl.file_->has_source()) {
      impl.file_->stop_source(); // it may be about to receive
      catch_up(impl, lane_kind::in);
      if (impl.file_->kept_size() || impl.file_->take_ahead([](source&) { return true; })) return true;
    }
    return impl.file_->next_datagram().has_value();
  }

  /// Before a synchronous function: submits what was started before it, and waits for what a cancelled
  /// operation still does.
  void catch_up(const implementation_type& impl, lane_kind kind) const
  {
    if (impl.file_) impl.file_->catch_up(kind);
  }
  /// The same for a function that reads. True if a cancelled read has left bytes for it.
  bool finds_kept(const implementation_type& impl) const
  {
    catch_up(impl, lane_kind::in);
    return has_kept(impl);
  }

  /// Serves a synchronous read with bytes that a cancelled one has left, by description.take.
  template <typename Description>
  std::size_t take_kept(implementation_type& impl, Description description, error_code& ec)
  {
    ec = error_code();
    return static_cast<std::size_t>(
        impl.file_->with_kept([&](kept_bytes& bytes) { return description.take(bytes); }));
  }

  // --- for those that start the operations

public:
  /// The result of a wait that completes at once; nothing for any other.
  std::optional<int> known_wait(implementation_type& impl, asio::socket_base::wait_type what) const
  {
    return what == asio::socket_base::wait_read && finds_kept(impl) ? std::optional(0) : std::nullopt;
  }

  /// Makes the descriptor non-blocking if an operation will be a call without a flag for that; on the
  /// completion path it stays as it is. Returns a result if that fails.
  std::optional<int> make_non_blocking(implementation_type& impl, preference preferred)
  {
    error_code ec;
    if (impl.file_ && uring_.paths().path_for(preferred) == path::readiness && !set_non_blocking(impl, ec))
      return -ec.value();
    return std::nullopt;
  }

  /// Starts an operation, or completes it with `result` if there is one. `describe()` makes the description,
  /// in the record; `object` and `name` are for handler tracking.
  template <typename Describe, typename Handler, typename IoExecutor>
  [[gnu::always_inline]] void start(implementation_type& impl, std::optional<int> result, Describe&& describe,
                                    Handler& handler, const IoExecutor& io_ex, const char* object,
                                    const char* name)
  {
    if (!impl.file_ && !result) result = -EBADF;
    tribool on_loop = impl.on_loop_;
    if (on_loop == tribool::unknown) [[unlikely]] {
      on_loop = is_loop(uring_, io_ex) ? tribool::yes : tribool::no;
      if (!result) impl.on_loop_ = on_loop;
    }
    const bool native = on_loop == tribool::yes;
    using description = std::invoke_result_t<Describe&>;
    using record = handler_operation<description, Handler, IoExecutor>;
    if constexpr (description_traits<description>::connects)
      if (!result) impl.connects_ = true;
    if (result)
      record::complete(uring_, impl.file_, native, *result, describe, handler, io_ex, object, name);
    else
      record::start(uring_, *impl.file_, native, describe, handler, io_ex, object, name);
  }
};

/// Starts operations of an object whose service is ours; for operations.hpp.
template <typename Service, typename Handler, typename IoExecutor>
class started_on_ring
{
public:
  started_on_ring(Service& service, typename Service::implementation_type& impl, Handler& handler,
                  const IoExecutor& io_ex) noexcept
      : service_(service), impl_(impl), handler_(handler), io_ex_(io_ex)
  {}

protected:
  auto& impl() const noexcept { return impl_; }

  template <typename Description, typename... Args>
  [[gnu::always_inline]] void start(std::optional<int> result, const char* name, Args&&... args) const
  {
    service_.start(
        impl_, result, [&] { return Description(std::forward<Args>(args)...); }, handler_, io_ex_,
        Service::tracked_as, name);
  }

  template <typename... Extra>
  void start_wait(asio::socket_base::wait_type what, const char* name) const
  {
    const bool valid = wait_op<Extra...>(what).valid();
    start<wait_op<Extra...>>(valid ? service_.known_wait(impl_, what) : -EINVAL, name, what);
  }

  std::optional<int> make_non_blocking(preference preferred) const
  {
    return service_.make_non_blocking(impl_, preferred);
  }

private:
  Service& service_;
  typename Service::implementation_type& impl_;
  Handler& handler_;
  const IoExecutor& io_ex_;
};

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_OBJECT_SERVICE_ON_RING_HPP
