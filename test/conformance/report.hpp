// test/conformance/report.hpp: the names under comparison, and the text that is compared.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_CONFORMANCE_REPORT_HPP
#define ASIO_URING_TEST_CONFORMANCE_REPORT_HPP

// One source, three programs:
//   CONFORMANCE_STOCK       stock Asio
//   CONFORMANCE_AS_DEFAULT  the same names, with asio_uring/as_default.hpp
//   CONFORMANCE_BY_TYPE     the names of asio_uring
#if defined(CONFORMANCE_AS_DEFAULT)
#include <asio_uring/as_default.hpp>
#endif
#include <boost/asio.hpp>
#if defined(CONFORMANCE_BY_TYPE)
#include <asio_uring/asio_uring.hpp>
#endif

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace net {

using namespace boost::asio;

#if defined(CONFORMANCE_BY_TYPE)
using asio_uring::any_io_executor;
using asio_uring::connect_pipe;
using asio_uring::readable_pipe;
using asio_uring::writable_pipe;
namespace ip {
using namespace boost::asio::ip;
using asio_uring::ip::icmp;
using asio_uring::ip::tcp;
using asio_uring::ip::udp;
} // namespace ip
namespace local {
using namespace asio_uring::local;
}
namespace generic {
using namespace asio_uring::generic;
}
namespace posix {
using namespace boost::asio::posix;
using asio_uring::posix::descriptor;
using asio_uring::posix::stream_descriptor;
} // namespace posix
/// An executor type other than the usual one. The context's own would give stock objects here.
using other_executor = boost::asio::strand<any_io_executor>;
#else
using other_executor = io_context::executor_type;
#endif

#if defined(CONFORMANCE_STOCK)
inline constexpr bool on_uring = false;
#else
inline constexpr bool on_uring = true;
#endif

using strand_executor = boost::asio::strand<any_io_executor>;

/// An executor of the wanted type that runs on the context.
template <typename Executor>
Executor executor_on(io_context& context)
{
  if constexpr (std::is_constructible_v<Executor, io_context::executor_type>)
    return Executor(context.get_executor());
  else
    return Executor(any_io_executor(context.get_executor()));
}

} // namespace net

namespace report {

using boost::system::error_code;

// --- values as text

/// Ephemeral ports, numbered in the order in which they appear in a scenario.
inline std::map<unsigned, unsigned>& ports()
{
  static std::map<unsigned, unsigned> known;
  return known;
}
inline std::string port(unsigned number)
{
  if (number == 0) return "0";
  return "#" + std::to_string(ports().try_emplace(number, ports().size() + 1).first->second);
}

inline std::string text(bool value) { return value ? "true" : "false"; }
template <std::integral T>
std::string text(T value)
{
  return std::to_string(value);
}
inline std::string text(std::string_view value) { return '"' + std::string(value) + '"'; }
inline std::string text(const std::string& value) { return text(std::string_view(value)); }
inline std::string text(const char* value) { return text(std::string_view(value)); }
inline std::string text(const error_code& ec)
{
  if (!ec) return "no error";
  return std::string(ec.category().name()) + ':' + std::to_string(ec.value()) + " (" + ec.message() + ")";
}
template <typename P>
std::string text(const boost::asio::ip::basic_endpoint<P>& endpoint)
{
  return endpoint.address().to_string() + ' ' + port(endpoint.port());
}
template <typename P>
std::string text(const boost::asio::local::basic_endpoint<P>& endpoint)
{
  return text(endpoint.path());
}
template <typename P>
std::string text(const boost::asio::generic::basic_endpoint<P>& endpoint)
{
  std::string s =
      "family " + std::to_string(endpoint.protocol().family()) + " size " + std::to_string(endpoint.size());
  return s;
}
/// A socket, an acceptor, a pipe.
template <typename T>
requires requires(const T& t) { t.is_open(); }
std::string text(const T& object) { return object.is_open() ? "open" : "closed"; }

// --- lines

inline void line(const std::string& s) { std::cout << "  " << s << '\n'; }

template <typename... Ts>
void values(std::string_view name, const Ts&... ts)
{
  std::string s(name);
  s += ": ";
  const char* separator = "";
  ((s += separator, s += text(ts), separator = ", "), ...);
  line(s);
}

/// what() without Asio's own source location.
inline std::string what(const std::exception& e)
{
  std::string s = e.what();
  if (const auto at = s.find(" at /"); at != s.npos) s = s.substr(0, at) + ']';
  return s;
}

/// What a call returns or throws.
template <typename F>
void call(std::string_view name, F&& f)
{
  try {
    if constexpr (std::is_void_v<decltype(f())>) {
      f();
      values(name, std::string_view("done"));
    } else
      values(name, f());
  } catch (const boost::system::system_error& e) {
    values(name, std::string_view("throws"), e.code(), what(e));
  }
}

/// What a call returns and leaves in its error_code.
template <typename F>
void call_ec(std::string_view name, F&& f)
{
  error_code ec = boost::asio::error::make_error_code(boost::asio::error::fault); // must be overwritten
  if constexpr (std::is_void_v<decltype(f(ec))>) {
    f(ec);
    values(name, ec);
  } else {
    const auto& result = f(ec);
    values(name, result, ec);
  }
}

/// Reports a deliberate difference from stock Asio, see doc/conformance.md. The behaviour of each is checked,
/// and one line stands for both.
inline void deliberate(std::string_view name, bool as_stock_does, bool as_uring_does)
{
  values(name, std::string_view("deliberate difference"), net::on_uring ? as_uring_does : as_stock_does);
}

#define SHOW(...) ::report::call(#__VA_ARGS__, [&]() -> decltype(auto) { return __VA_ARGS__; })
/// Both forms of a synchronous function.
#define BOTH(object, member, ...)                                                                            \
  do {                                                                                                       \
    ::report::call(#object "." #member "(" #__VA_ARGS__ ")",                                                 \
                   [&]() -> decltype(auto) { return object.member(__VA_ARGS__); });                          \
    SHOW_EC(object, member __VA_OPT__(, ) __VA_ARGS__);                                                      \
  } while (false)
/// The form with an error_code.
#define SHOW_EC(object, member, ...)                                                                         \
  ::report::call_ec(#object "." #member "(" #__VA_ARGS__ __VA_OPT__(", ") "ec)",                             \
                    [&](::report::error_code& ec) -> decltype(auto) {                                        \
                      return object.member(__VA_ARGS__ __VA_OPT__(, ) ec);                                   \
                    })

// --- handlers and the loop

inline std::size_t called = 0;

/// A handler that prints its arguments.
inline auto handler(std::string name)
{
  return [name = std::move(name)](const auto&... arguments) -> void {
    ++called;
    values("-> " + name, arguments...);
  };
}
/// A handler that stores its arguments.
struct outcome
{
  error_code ec;
  std::size_t size = 0;
  int calls = 0;
  auto handler()
  {
    return [this](error_code e, std::size_t n = 0) {
      ec = e;
      size = n;
      ++calls;
      ++called;
    };
  }
  bool succeeded() const { return calls == 1 && !ec; }
  bool failed(const error_code& e) const { return calls == 1 && ec == e; }
};
inline std::string text(const outcome& o)
{
  return std::to_string(o.calls) + " calls, " + text(o.ec) + ", " + std::to_string(o.size);
}

/// Deliberate difference: run() and its variants return the number of handlers. Stock also counts an event
/// that completed nothing, the ring pump an attempt that found nothing, the guest pump a turn that found
/// nothing.
inline std::size_t counted(std::size_t returned, std::size_t handlers)
{
  return std::min(returned, handlers);
}

/// The guest pump may need more turns of the loop than there are handlers.
inline bool guest()
{
  const char* pump = std::getenv("ASIO_URING_PUMP");
  return net::on_uring && pump && std::string_view(pump) == "guest";
}

/// Runs all work, and compares what run() returns with the handlers that ran: only for operations whose
/// handlers are all counted here.
inline void run(boost::asio::io_context& context)
{
  context.restart();
  const std::size_t before = called;
  const std::size_t returned = context.run_for(std::chrono::seconds(10));
  values("run", counted(returned, called - before));
  if (!context.stopped()) line("WORK IS LEFT");
}
/// Lets all initiated operations start; prints nothing.
inline void settle(boost::asio::io_context& context)
{
  for (int i = 0; i < 3; ++i) {
    context.restart();
    context.poll();
  }
  context.restart();
}
/// Runs all work, including composed operations.
inline void run_composed(boost::asio::io_context& context)
{
  context.restart();
  context.run_for(std::chrono::seconds(10));
  if (!context.stopped()) line("WORK IS LEFT");
}

// --- scenarios

using scenario = std::pair<std::string, std::function<void()>>;
inline std::vector<scenario>& scenarios()
{
  static std::vector<scenario> all;
  return all;
}
struct add
{
  add(std::string name, std::function<void()> f) { scenarios().emplace_back(std::move(name), std::move(f)); }
};

#define SCENARIO(title)                                                                                      \
  static void scenario_##title();                                                                            \
  static const ::report::add add_##title(#title, &scenario_##title);                                         \
  static void scenario_##title()
/// A scenario for several types, told apart by their static member `name`.
#define SCENARIO_TEMPLATE(title, T, ...)                                                                     \
  template <typename T>                                                                                      \
  static void scenario_##title();                                                                            \
  template <typename... Ts>                                                                                  \
  static int add_##title##_each()                                                                            \
  {                                                                                                          \
    (::report::add(std::string(#title) + '/' + Ts::name, &scenario_##title<Ts>), ...);                       \
    return 0;                                                                                                \
  }                                                                                                          \
  static const int add_##title = add_##title##_each<__VA_ARGS__>();                                          \
  template <typename T>                                                                                      \
  static void scenario_##title()

} // namespace report

using namespace report;

#endif
