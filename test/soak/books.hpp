// test/soak/books.hpp: common names, and the accounts of what was started, ended, lost or wrong.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_SOAK_BOOKS_HPP
#define ASIO_URING_TEST_SOAK_BOOKS_HPP

#include <boost/asio.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <random>
#include <string>
#include <utility>

namespace soak {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using asio::ip::tcp;
using asio::ip::udp;
using boost::system::error_code;
using clock_type = std::chrono::steady_clock;
using local = asio::local::stream_protocol;
using strand = asio::strand<asio::io_context::executor_type>;
using random_engine = std::minstd_rand;

inline constexpr auto patience = 30s; // if nothing ends for so long, something is lost
// Clients of a context: few enough with ThreadSanitizer that everything ends in time.
#ifdef __SANITIZE_THREAD__
inline constexpr unsigned crowd = 8;
#else
inline constexpr unsigned crowd = 32;
#endif
inline constexpr auto awaited = asio::as_tuple(asio::use_awaitable);

using counter = std::atomic<std::uint64_t>;

inline struct books
{
  counter operations{0}, destroyed{0}, bytes{0}, datagrams{0}, blocks{0}, timers{0};
  counter slot_cancels{0}, cancels{0}, aborted{0};
  counter sessions{0}, whole{0}, killed{0}, refused{0}, abandoned{0};
  counter resets{0}, closes{0}, destructions{0};
  counter contexts{0}, contexts_abandoned{0}, exhaustions{0}, no_descriptor{0};
  counter lost{0}, wrong{0};
} total;

inline void report(counter& what, std::uint32_t session, const std::string& text)
{
  ++what;
  std::fprintf(stderr, "soak: session %u: %s\n", session, text.c_str());
}

/// The operations of one context.
struct ledger
{
  counter started{0}, completed{0}, destroyed{0};
};

/// An operation that was started: it must complete or be destroyed, once.
class operation
{
  ledger* book_;

public:
  explicit operation(ledger& book) : book_(&book) { ++book.started; }
  operation(operation&& other) noexcept : book_(std::exchange(other.book_, nullptr)) {}
  ~operation()
  {
    if (book_) ++book_->destroyed;
  }
  void complete()
  {
    if (book_)
      ++std::exchange(book_, nullptr)->completed;
    else
      report(total.wrong, 0, "a handler was called again");
  }
};

template <class F>
struct counted
{
  operation op;
  F f;
  template <class... A>
  void operator()(A&&... a)
  {
    op.complete();
    f(std::forward<A>(a)...);
  }
};

} // namespace soak

#endif // ASIO_URING_TEST_SOAK_BOOKS_HPP
