// test/soak.cpp: a mixed load with faults for as long as told; nothing may be lost, nothing may grow.
//
//   soak [SECONDS]
//
// Streams are numbered: a byte follows from its session and its place. A session that nobody kills has to get
// all of its bytes back and then the end; of one that is killed, what comes has to be a prefix. Cancelled
// operations are started again where they stopped. Handlers are counted: each is called once, or destroyed
// once with a context that was abandoned. Exit code 0 only if all of that holds, no descriptor is left, and
// memory is flat.
//
// Plain Asio: built without the library it proves that what it demands is Asio's own behaviour.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include <boost/asio.hpp>

#include <malloc.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED
#endif

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using asio::ip::tcp;
using asio::ip::udp;
using boost::system::error_code;
using clock_type = std::chrono::steady_clock;
using local = asio::local::stream_protocol;
using strand = asio::strand<asio::io_context::executor_type>;
using random_engine = std::minstd_rand;

constexpr auto patience = 30s; // without any progress for so long, something is lost
// Clients of a context. With ThreadSanitizer, too, what was begun has to end in time.
#ifdef __SANITIZE_THREAD__
constexpr unsigned crowd = 8;
#else
constexpr unsigned crowd = 32;
#endif
constexpr auto awaited = asio::as_tuple(asio::use_awaitable);

// --- The books. -------------------------------------------------------------------------------------------

using counter = std::atomic<std::uint64_t>;

struct
{
  counter operations{0}, destroyed{0}, bytes{0}, datagrams{0}, blocks{0}, timers{0};
  counter slot_cancels{0}, cancels{0}, aborted{0};
  counter sessions{0}, whole{0}, killed{0}, refused{0}, abandoned{0};
  counter resets{0}, closes{0}, destructions{0};
  counter contexts{0}, contexts_abandoned{0}, exhaustions{0}, no_descriptor{0};
  counter lost{0}, wrong{0};
} total;

void report(counter& what, std::uint32_t session, const std::string& text)
{
  ++what;
  std::fprintf(stderr, "soak: session %u: %s\n", session, text.c_str());
}

/// The operations of one context.
struct ledger
{
  counter started{0}, completed{0}, destroyed{0};
};

/// An operation that was started: completed, or else destroyed, once.
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

// --- What is sent. ----------------------------------------------------------------------------------------

enum class manner
{
  steady,
  dribbling,    // a few bytes now and then
  slow_reading, // reads nothing until the other end cannot write any more
  reset,        // these three: the client's end goes in the middle
  close,
  destroy,
  reset_by_server,
  close_by_server,
  destroy_by_server
};
constexpr std::size_t manners = 9;

bool is_killed(manner m) { return m >= manner::reset; }
bool is_killed_by_server(manner m) { return m >= manner::reset_by_server; }
bool is_destroyed(manner m) { return m == manner::destroy || m == manner::destroy_by_server; }

/// A session's bytes: its number, from which both ends know how it will go, then bytes that follow from it.
class numbered_stream
{
  static constexpr std::size_t period = 1'000'003;
  std::uint32_t id_;

  static const std::string& bytes()
  {
    static const std::string block = [] {
      std::mt19937 random(7);
      std::string s(period, '\0');
      for (char& c : s)
        c = static_cast<char>(random());
      return s + s.substr(0, largest);
    }();
    return block;
  }

public:
  static constexpr std::size_t largest = 1 << 17; // piece

  explicit numbered_stream(std::uint32_t id) : id_(id) {}
  std::uint32_t id() const { return id_; }
  manner how() const { return static_cast<manner>(id_ % manners); }

  void copy(std::uint64_t at, char* to, std::size_t size) const
  {
    std::memcpy(to, bytes().data() + (id_ * 7919ull + at) % period, size);
    for (std::uint64_t i = at; i < sizeof id_ && i < at + size; ++i)
      to[i - at] = reinterpret_cast<const char*>(&id_)[i];
  }
  bool matches(std::uint64_t at, const char* data, std::size_t size) const
  {
    std::array<char, 4096> expected;
    for (std::size_t done = 0, n; done != size; done += n) {
      n = std::min(size - done, expected.size());
      copy(at + done, expected.data(), n);
      if (std::memcmp(expected.data(), data + done, n) != 0) return false;
    }
    return true;
  }
};

std::atomic<std::uint32_t> next_session{1};

/// A buffer in four pieces, some of them empty.
template <class Buffer>
std::array<Buffer, 4> in_pieces(Buffer whole, random_engine& random)
{
  std::array<Buffer, 4> pieces;
  for (auto& piece : pieces) {
    const bool rest = &piece == &pieces.back() || random() % 2;
    piece = Buffer(whole.data(), rest ? whole.size() : random() % (whole.size() + 1));
    whole += piece.size();
  }
  return pieces;
}
auto cut(asio::mutable_buffer whole, random_engine& random) { return in_pieces(whole, random); }
auto cut(asio::const_buffer whole, random_engine& random) { return in_pieces(whole, random); }

/// Many are small, few are large.
std::size_t random_size(random_engine& random, unsigned bits)
{
  return 1 + random() % (1u << random() % bits);
}

// --- The ends of a stream. --------------------------------------------------------------------------------

/// Both ends of a pipe: what is written comes back.
struct pipe_ends
{
  asio::readable_pipe in;
  asio::writable_pipe out;

  using executor_type = asio::any_io_executor;
  explicit pipe_ends(const strand& executor) : in(executor), out(executor) {}
  executor_type get_executor() { return in.get_executor(); }
  template <class Buffers, class Token>
  auto async_read_some(const Buffers& buffers, Token&& token)
  {
    return in.async_read_some(buffers, std::forward<Token>(token));
  }
  template <class Buffers, class Token>
  auto async_write_some(const Buffers& buffers, Token&& token)
  {
    return out.async_write_some(buffers, std::forward<Token>(token));
  }
  void cancel(error_code& e)
  {
    in.cancel(e);
    out.cancel(e);
  }
  void close(error_code& e)
  {
    in.close(e);
    out.close(e);
  }
};

template <class Socket>
void finish_sending(Socket& socket)
{
  error_code ignored;
  socket.shutdown(asio::socket_base::shutdown_send, ignored);
}
void finish_sending(pipe_ends& ends)
{
  error_code ignored;
  ends.out.close(ignored);
}

template <class Socket>
void close_with_reset(Socket& socket)
{
  error_code ignored;
  socket.set_option(asio::socket_base::linger(true, 0), ignored);
  socket.close(ignored);
}
void close_with_reset(pipe_ends& ends)
{
  error_code ignored;
  ends.close(ignored);
}

template <class Stream>
constexpr const char* name_of = "UNIX stream";
template <>
constexpr const char* name_of<pipe_ends> = "pipe";
template <class Executor>
constexpr const char* name_of<asio::basic_stream_socket<tcp, Executor>> = "TCP stream";

/// What client and server have in common. Used in its strand only.
template <class Stream>
class peer
{
protected:
  ledger& book_;
  random_engine random_;
  std::unique_ptr<Stream> stream_;
  asio::cancellation_signal reading_, writing_;
  asio::steady_timer timer_;
  std::array<char, 1 << 14> in_;
  const bool coroutines_ = one_in(2);
  bool over_ = false;

  peer(const strand& executor, ledger& book, std::uint32_t seed)
      : book_(book), random_(seed), timer_(executor)
  {}

  bool one_in(unsigned n) { return random_() % n == 0; }

  template <class F>
  auto on_read(F f)
  {
    return asio::bind_cancellation_slot(reading_.slot(), counted<F>{operation(book_), std::move(f)});
  }
  template <class F>
  auto on_written(F f)
  {
    return asio::bind_cancellation_slot(writing_.slot(), counted<F>{operation(book_), std::move(f)});
  }
  auto read_awaited() { return asio::bind_cancellation_slot(reading_.slot(), awaited); }
  auto written_awaited() { return asio::bind_cancellation_slot(writing_.slot(), awaited); }

  template <class Self>
  void spawn(std::shared_ptr<Self> self, asio::awaitable<void> (Self::*loop)())
  {
    asio::co_spawn(
        timer_.get_executor(), [self, loop] { return (self.get()->*loop)(); },
        counted{operation(book_), [self](std::exception_ptr e) {
                  if (e) report(total.wrong, 0, "a coroutine ended with an exception");
                }});
  }

  auto room() { return cut(asio::buffer(in_, random_size(random_, 15)), random_); }

  /// Calls f now and then, until it is over.
  template <class Self>
  void from_time_to_time(std::shared_ptr<Self> self, void (Self::*f)())
  {
    const auto due = clock_type::now() + std::chrono::microseconds(random_() % 60'000);
    timer_.expires_at(due);
    auto expired = [this, self, f, due](error_code e) {
      ++total.timers;
      if (!e && clock_type::now() < due) report(total.wrong, 0, "a timer was early");
      if (over_) return;
      (self.get()->*f)();
      if (!over_) from_time_to_time(self, f);
    };
    timer_.async_wait(counted<decltype(expired)>{operation(book_), expired});
  }

  /// Cancels something; what is cancelled goes on where it stopped.
  void disturb()
  {
    error_code ignored;
    constexpr asio::cancellation_type types[] = {
        asio::cancellation_type::terminal, asio::cancellation_type::partial, asio::cancellation_type::total};
    switch (random_() % 4) {
    case 0:
      ++total.slot_cancels;
      return reading_.emit(types[random_() % 3]);
    case 1:
      ++total.slot_cancels;
      return writing_.emit(types[random_() % 3]);
    case 2:
      ++total.cancels;
      stream_->cancel(ignored);
    }
  }

  void kill(manner m)
  {
    switch (m) {
    case manner::reset:
    case manner::reset_by_server:
      ++total.resets;
      close_with_reset(*stream_);
      break;
    case manner::destroy:
    case manner::destroy_by_server:
      ++total.destructions;
      stream_.reset(); // operations in flight are plain ones then: a composed one would go on with nothing
      break;
    default:
      ++total.closes;
    }
    end();
  }

  void end()
  {
    over_ = true;
    timer_.cancel();
    error_code ignored;
    if (stream_) stream_->close(ignored);
  }
};

/// Sends back what it reads.
template <class Stream>
class server : public peer<Stream>, public std::enable_shared_from_this<server<Stream>>
{
  std::optional<numbered_stream> text_; // once its number is here
  std::array<char, sizeof(std::uint32_t)> head_;
  std::uint64_t received_ = 0;
  std::size_t filled_ = 0, sent_ = 0;

public:
  server(const strand& executor, ledger& book, Stream accepted)
      : peer<Stream>(executor, book, next_session.load())
  {
    this->stream_ = std::make_unique<Stream>(std::move(accepted));
  }

  void start()
  {
    this->from_time_to_time(this->shared_from_this(), &server::look);
    if (this->coroutines_)
      this->spawn(this->shared_from_this(), &server::run);
    else
      read();
  }

private:
  void look()
  {
    if (text_ && is_killed_by_server(text_->how()) && this->one_in(16))
      this->kill(text_->how());
    else
      this->disturb();
  }

  bool composed() { return text_ && !is_destroyed(text_->how()) && this->one_in(2); }

  bool has_read(error_code e, std::size_t n)
  {
    for (std::size_t i = 0; received_ + i < head_.size() && i < n; ++i)
      head_[received_ + i] = this->in_[i];
    if (!text_ && received_ + n >= head_.size()) {
      std::uint32_t id;
      std::memcpy(&id, head_.data(), sizeof id);
      text_.emplace(id);
    }
    if (text_ && !text_->matches(received_, this->in_.data(), n))
      report(total.wrong, text_->id(), "other bytes than were sent have reached the server");
    received_ += n;
    filled_ = n;
    sent_ = 0;
    if (e == asio::error::eof && !this->over_) {
      finish_sending(*this->stream_);
      this->end();
    }
    return goes_on(e, "reads");
  }
  bool has_written(error_code e, std::size_t n)
  {
    sent_ += n;
    return goes_on(e, "writes");
  }
  bool goes_on(error_code e, const char* what)
  {
    if (this->over_) return false;
    if (e == asio::error::operation_aborted) {
      ++total.aborted;
      return true;
    }
    if (!e) return true;
    if (text_ && !is_killed(text_->how()))
      report(total.lost, text_->id(), std::string("the server ") + what + ": " + e.message());
    this->end();
    return false;
  }
  auto rest() { return cut(asio::const_buffer(this->in_.data() + sent_, filled_ - sent_), this->random_); }

  void read()
  {
    this->stream_->async_read_some(
        this->room(), this->on_read([this, self = this->shared_from_this()](error_code e, std::size_t n) {
          if (has_read(e, n)) n ? write() : read();
        }));
  }
  void write()
  {
    auto done = this->on_written([this, self = this->shared_from_this()](error_code e, std::size_t n) {
      if (has_written(e, n)) sent_ == filled_ ? read() : write();
    });
    if (composed())
      asio::async_write(*this->stream_, rest(), std::move(done));
    else
      this->stream_->async_write_some(rest(), std::move(done));
  }

  asio::awaitable<void> run()
  {
    for (;;) {
      operation reading(this->book_);
      const auto [e, n] = co_await this->stream_->async_read_some(this->room(), this->read_awaited());
      reading.complete();
      if (!has_read(e, n)) co_return;
      while (sent_ != filled_) {
        operation writing(this->book_);
        const auto [error, size] =
            composed() ? co_await asio::async_write(*this->stream_, rest(), this->written_awaited())
                       : co_await this->stream_->async_write_some(rest(), this->written_awaited());
        writing.complete();
        if (!has_written(error, size)) co_return;
      }
    }
  }
};

/// Sends its bytes and checks that they come back; calls `done` when it is over.
template <class Stream>
class client : public peer<Stream>, public std::enable_shared_from_this<client<Stream>>
{
  const numbered_stream text_;
  const bool killed_ = is_killed(text_.how());
  const bool composed_ = !is_destroyed(text_.how()) && this->one_in(2);
  std::function<void(bool refused)> done_;
  std::array<char, 1 << 15> out_;
  std::uint64_t size_ = UINT64_MAX, sent_ = 0, received_ = 0;
  asio::steady_timer pause_;
  clock_type::time_point last_progress_ = clock_type::now();
  clock_type::time_point reads_from_ = last_progress_;

public:
  client(const strand& executor, ledger& book, std::function<void(bool)> done, std::uint32_t id)
      : peer<Stream>(executor, book, id), text_(id), done_(std::move(done)), pause_(executor)
  {
    ++total.sessions;
    this->stream_ = std::make_unique<Stream>(executor);
    if (text_.how() == manner::steady) size_ = random_size(this->random_, 21);
    if (text_.how() == manner::dribbling) size_ = random_size(this->random_, 12);
    if (text_.how() == manner::slow_reading) {
      size_ = 2'000'000;
      reads_from_ += 400ms;
    }
  }
  ~client()
  {
    if (!this->over_) ++total.abandoned;
  }

  void start_pipe()
  {
    error_code e;
    asio::connect_pipe(this->stream_->in, this->stream_->out, e);
    e ? refuse(e) : begin();
  }
  template <class Endpoint>
  void start(const Endpoint& to)
  {
    error_code e;
    this->stream_->open(to.protocol(), e);
    if (e) return refuse(e);
    if (text_.how() == manner::slow_reading)
      this->stream_->set_option(asio::socket_base::receive_buffer_size(8192), e);
    this->stream_->async_connect(to, this->on_read([this, self = this->shared_from_this()](error_code e) {
      e ? refuse(e) : begin();
    }));
    if (this->one_in(50)) {
      ++total.slot_cancels;
      this->reading_.emit(asio::cancellation_type::terminal);
    }
  }

private:
  void complain(counter& what, const std::string& text)
  {
    report(what, text_.id(),
           std::string(name_of<Stream>) + ", manner " + std::to_string(static_cast<int>(text_.how())) +
               (this->coroutines_ ? ", coroutine" : ", callback") + (composed_ ? ", composed" : "") + ": " +
               text + "; " + std::to_string(sent_) + " sent, " + std::to_string(received_) + " back of " +
               std::to_string(size_));
  }

  void end()
  {
    if (this->over_) return;
    peer<Stream>::end();
    over();
  }
  void over()
  {
    pause_.cancel();
    done_(false);
  }
  // No descriptors, the backlog of a UNIX listener is full, or the connect was cancelled.
  void refuse(error_code e)
  {
    ++total.refused;
    if (e == asio::error::no_descriptors)
      ++total.no_descriptor;
    else if (e != asio::error::operation_aborted && e != asio::error::try_again)
      complain(total.lost, "connect: " + e.message());
    peer<Stream>::end();
    done_(true);
  }

  void begin()
  {
    this->from_time_to_time(this->shared_from_this(), &client::look);
    if (this->coroutines_) {
      this->spawn(this->shared_from_this(), &client::send_all);
      this->spawn(this->shared_from_this(), &client::receive_all);
    } else {
      send();
      receive();
    }
  }

  void look()
  {
    if (killed_ && !is_killed_by_server(text_.how()) && this->one_in(16)) {
      ++total.killed;
      this->kill(text_.how());
      over();
    } else if (clock_type::now() - last_progress_ > patience) {
      complain(total.lost, "nothing comes any more");
      end();
    } else {
      // A pipe's server is the pipe.
      if (std::is_same_v<Stream, pipe_ends> && is_killed_by_server(text_.how()) && this->one_in(16)) {
        ++total.killed;
        this->kill(text_.how());
        return over();
      }
      this->disturb();
    }
  }

  bool has_sent(error_code e, std::size_t n)
  {
    last_progress_ = clock_type::now();
    sent_ += n;
    if (!goes_on(e, "write")) return false;
    if (sent_ != size_) return true;
    finish_sending(*this->stream_);
    return false;
  }
  bool has_received(error_code e, std::size_t n)
  {
    if (n) last_progress_ = clock_type::now();
    total.bytes += n;
    if (!text_.matches(received_, this->in_.data(), n)) complain(total.wrong, "other bytes than were sent");
    received_ += n;
    if (!this->over_ && !killed_ && e == asio::error::eof && received_ == size_) {
      ++total.whole;
      end();
    }
    return goes_on(e, "read");
  }
  bool goes_on(error_code e, const char* what)
  {
    if (this->over_) return false;
    if (e == asio::error::operation_aborted) {
      ++total.aborted;
      return true;
    }
    if (!e) return true;
    if (killed_)
      ++total.killed;
    else
      complain(total.lost, std::string(what) + ": " + e.message());
    end();
    return false;
  }

  auto next()
  {
    std::size_t n = random_size(this->random_, text_.how() == manner::dribbling ? 6 : 16);
    n = static_cast<std::size_t>(std::min<std::uint64_t>({n, out_.size(), size_ - sent_}));
    text_.copy(sent_, out_.data(), n);
    return cut(asio::const_buffer(out_.data(), n), this->random_);
  }

  void send()
  {
    auto done = this->on_written([this, self = this->shared_from_this()](error_code e, std::size_t n) {
      if (!has_sent(e, n)) return;
      if (text_.how() != manner::dribbling) return send();
      pause_.expires_after(5ms);
      auto expired = [this, self](error_code) {
        if (!this->over_) send();
      };
      pause_.async_wait(counted<decltype(expired)>{operation(this->book_), expired});
    });
    if (composed_)
      asio::async_write(*this->stream_, next(), std::move(done));
    else
      this->stream_->async_write_some(next(), std::move(done));
  }
  void receive()
  {
    auto done = this->on_read([this, self = this->shared_from_this()](error_code e, std::size_t n) {
      if (has_received(e, n)) receive();
    });
    if (clock_type::now() < reads_from_) {
      pause_.expires_at(reads_from_);
      pause_.async_wait([done = std::move(done)](error_code) mutable { done(error_code(), 0); });
    } else if (composed_) {
      asio::async_read(*this->stream_, this->room(), asio::transfer_at_least(64), std::move(done));
    } else {
      this->stream_->async_read_some(this->room(), std::move(done));
    }
  }

  asio::awaitable<void> send_all()
  {
    for (;;) {
      operation writing(this->book_);
      const auto [e, n] = composed_
                              ? co_await asio::async_write(*this->stream_, next(), this->written_awaited())
                              : co_await this->stream_->async_write_some(next(), this->written_awaited());
      writing.complete();
      if (!has_sent(e, n)) co_return;
      if (text_.how() != manner::dribbling) continue;
      operation pausing(this->book_);
      pause_.expires_after(5ms);
      co_await pause_.async_wait(awaited);
      pausing.complete();
      if (this->over_) co_return;
    }
  }
  asio::awaitable<void> receive_all()
  {
    if (clock_type::now() < reads_from_) {
      operation pausing(this->book_);
      pause_.expires_at(reads_from_);
      co_await pause_.async_wait(awaited);
      pausing.complete();
      if (this->over_) co_return;
    }
    for (;;) {
      operation reading(this->book_);
      const auto [e, n] = composed_
                              ? co_await asio::async_read(*this->stream_, this->room(),
                                                          asio::transfer_at_least(64), this->read_awaited())
                              : co_await this->stream_->async_read_some(this->room(), this->read_awaited());
      reading.complete();
      if (!has_received(e, n)) co_return;
    }
  }
};

// --- A context with servers and clients. ------------------------------------------------------------------

class site
{
  using tcp_socket = asio::basic_stream_socket<tcp, strand>;
  using local_socket = asio::basic_stream_socket<local, strand>;

  ledger book_;
  std::atomic<bool> closing_{false};
  std::atomic<int> busy_{0}; // clients of any kind
  std::filesystem::path directory_;
  std::optional<asio::io_context> context_;
  std::vector<std::thread> threads_;
  tcp::endpoint tcp_;
  local::endpoint local_;
  udp::endpoint udp_;

  bool closes() const { return closing_ && busy_ == 0; }
  strand make_strand() { return asio::make_strand(*context_); }

  // --- streams

  template <class Protocol>
  struct listener
  {
    typename Protocol::acceptor acceptor;
    asio::steady_timer timer;
    listener(const strand& s, const typename Protocol::endpoint& at) : acceptor(s, at), timer(s) {}
  };

  template <class Protocol>
  void accept(std::shared_ptr<listener<Protocol>> l)
  {
    const strand s = make_strand();
    auto accepted = [this, l, s](error_code e, auto socket) {
      if (!e) {
        auto session = std::make_shared<server<decltype(socket)>>(s, book_, std::move(socket));
        asio::post(s, [session] { session->start(); });
      } else if (e == asio::error::no_descriptors) {
        ++total.no_descriptor;
        auto pause = std::make_shared<asio::steady_timer>(l->acceptor.get_executor(), 5ms);
        pause->async_wait([this, l, pause](error_code) { accept(l); });
        return;
      } else if (e != asio::error::operation_aborted && l->acceptor.is_open()) {
        report(total.lost, 0, "accept: " + e.message());
      }
      if (l->acceptor.is_open()) accept(l);
    };
    if (l->acceptor.is_open())
      l->acceptor.async_accept(s, counted<decltype(accepted)>{operation(book_), std::move(accepted)});
  }

  /// Cancels now and then, and closes at the end.
  template <class Object>
  void disturb(std::shared_ptr<Object> owner, auto& object, asio::steady_timer& timer)
  {
    timer.expires_after(17ms);
    timer.async_wait([this, owner, &object, &timer](error_code) {
      ++total.cancels;
      closes() ? object.close() : object.cancel();
      if (object.is_open()) disturb(owner, object, timer);
    });
  }

  template <class Protocol>
  auto listen(const typename Protocol::endpoint& at)
  {
    const strand s = make_strand();
    auto l = std::make_shared<listener<Protocol>>(s, at);
    asio::post(s, [this, l] {
      accept(l);
      disturb(l, l->acceptor, l->timer);
    });
    return l->acceptor.local_endpoint();
  }

  void start_client(unsigned kind)
  {
    const strand s = make_strand();
    auto done = [this, kind](bool refused) {
      if (closing_) {
        --busy_;
        return;
      }
      auto pause = std::make_shared<asio::steady_timer>(*context_, refused ? 10ms : 0ms);
      pause->async_wait([this, kind, pause](error_code) { start_client(kind); });
    };
    const std::uint32_t id = next_session++;
    switch (kind % 4) {
    case 0: {
      auto c = std::make_shared<client<pipe_ends>>(s, book_, done, id);
      return asio::post(s, [c] { c->start_pipe(); });
    }
    case 1: {
      auto c = std::make_shared<client<local_socket>>(s, book_, done, id);
      return asio::post(s, [c, to = local_] { c->start(to); });
    }
    default:
      auto c = std::make_shared<client<tcp_socket>>(s, book_, done, id);
      asio::post(s, [c, to = tcp_] { c->start(to); });
    }
  }

  // --- datagrams: one at a time is never dropped on the loopback device; it has to come back, once

  struct datagram_socket
  {
    udp::socket socket;
    asio::steady_timer timer, pause;
    std::vector<char> data = std::vector<char>(65536);
    udp::endpoint sender;
    datagram_socket(const strand& s, const udp::endpoint& at) : socket(s, at), timer(s), pause(s) {}
  };

  asio::awaitable<void> echo_datagrams(std::shared_ptr<datagram_socket> s)
  {
    for (;;) {
      operation receiving(book_);
      auto [e, n] = co_await s->socket.async_receive_from(asio::buffer(s->data), s->sender, awaited);
      receiving.complete();
      if (!s->socket.is_open()) co_return;
      if (e == asio::error::operation_aborted) continue;
      do {
        operation sending(book_);
        std::tie(e, std::ignore) =
            co_await s->socket.async_send_to(asio::buffer(s->data, n), s->sender, awaited);
        sending.complete();
      } while (e == asio::error::operation_aborted);
    }
  }

  asio::awaitable<void> exchange_datagrams(std::shared_ptr<datagram_socket> s)
  {
    const numbered_stream text(next_session++);
    random_engine random(text.id());
    std::vector<char> out(9000);
    for (std::uint64_t at = 0; !closing_;) {
      const std::size_t size = random_size(random, 13);
      text.copy(at, out.data(), size);
      error_code e;
      std::size_t n = 0;
      do {
        operation sending(book_);
        std::tie(e, n) = co_await s->socket.async_send_to(cut(asio::const_buffer(out.data(), size), random),
                                                          udp_, awaited);
        sending.complete();
      } while (e == asio::error::operation_aborted);
      const auto begin = clock_type::now();
      do {
        operation receiving(book_);
        std::tie(e, n) = co_await s->socket.async_receive_from(asio::buffer(s->data), s->sender, awaited);
        receiving.complete();
        if (e == asio::error::operation_aborted) ++total.aborted;
      } while (e == asio::error::operation_aborted && clock_type::now() - begin < patience);
      if (e) report(total.lost, text.id(), "datagram: " + e.message());
      if (n != size || !text.matches(at, s->data.data(), n))
        report(total.wrong, text.id(), "another datagram than was sent");
      ++total.datagrams;
      at += size;
      if (random() % 8) continue;
      operation pausing(book_);
      s->pause.expires_after(std::chrono::microseconds(random() % 4000));
      co_await s->pause.async_wait(awaited);
      pausing.complete();
    }
    --busy_;
  }

  auto ended()
  {
    auto f = [](std::exception_ptr e) {
      if (e) report(total.wrong, 0, "a coroutine ended with an exception");
    };
    return counted<decltype(f)>{operation(book_), f};
  }

  std::shared_ptr<datagram_socket> open_datagrams()
  {
    const strand s = make_strand();
    auto d = std::make_shared<datagram_socket>(s, udp::endpoint(asio::ip::address_v4::loopback(), 0));
    asio::post(s, [this, d] { disturb(d, d->socket, d->timer); });
    return d;
  }

  // --- files: what was written is read back; what was cancelled is done again

#ifdef BOOST_ASIO_HAS_FILE
  struct file_user
  {
    std::string name;
    asio::random_access_file file;
    asio::steady_timer timer, pause;
    asio::cancellation_signal signal;
    bool over = false;
    random_engine random{next_session++};
    std::vector<char> out = std::vector<char>(numbered_stream::largest), in = out;
    file_user(const strand& s, std::string n) : name(std::move(n)), file(s), timer(s), pause(s) {}
    ~file_user() { ::unlink(name.c_str()); }
  };

  void disturb_file(std::shared_ptr<file_user> f)
  {
    f->timer.expires_after(std::chrono::microseconds(f->random() % 10'000));
    f->timer.async_wait([this, f](error_code) {
      if (f->over) return;
      error_code ignored;
      switch (f->random() % 8) {
      case 0:
        f->file.close(ignored);
        break;
      case 1:
      case 2:
        ++total.cancels, f->file.cancel(ignored);
        break;
      case 3:
      case 4:
        ++total.slot_cancels, f->signal.emit(asio::cancellation_type::terminal);
      }
      disturb_file(f);
    });
  }

  asio::awaitable<void> write_and_read(std::shared_ptr<file_user> f)
  {
    const auto token = [&] { return asio::bind_cancellation_slot(f->signal.slot(), awaited); };
    while (!closing_) {
      const numbered_stream text(next_session++);
      const std::size_t size = random_size(f->random, 17);
      const std::uint64_t at = f->random() % 100'000;
      text.copy(0, f->out.data(), size);
      std::fill_n(f->in.begin(), size, '\0');
      error_code e;
      std::size_t n = 0;
      for (bool written = false, read = false; !read;) {
        if (!f->file.is_open()) {
          f->file.open(f->name, asio::file_base::read_write | asio::file_base::create, e);
          if (e) {
            if (e == asio::error::no_descriptors)
              ++total.no_descriptor;
            else
              report(total.lost, text.id(), "open: " + e.message());
            f->pause.expires_after(5ms);
            co_await f->pause.async_wait(awaited);
            continue;
          }
        }
        const asio::const_buffer out(f->out.data(), size);
        const asio::mutable_buffer in(f->in.data(), size);
        operation transferring(book_);
        std::tie(e, n) = written ? co_await asio::async_read_at(f->file, at, cut(in, f->random), token())
                                 : co_await asio::async_write_at(f->file, at, cut(out, f->random), token());
        transferring.complete();
        if (e == asio::error::operation_aborted || (e && !f->file.is_open())) {
          ++total.aborted;
          continue;
        }
        if (e || n != size)
          report(total.lost, text.id(), (written ? "file read: " : "file write: ") + e.message());
        read = written;
        written = true;
      }
      if (!text.matches(0, f->in.data(), size))
        report(total.wrong, text.id(), "a file holds other bytes than were written");
      total.bytes += 2 * size;
      ++total.blocks;
      f->pause.expires_after(1ms);
      co_await f->pause.async_wait(awaited);
    }
    f->over = true;
    f->timer.cancel();
    --busy_;
  }

  void start_files(unsigned count)
  {
    std::string pattern = (std::filesystem::temp_directory_path() / "soak.XXXXXX").string();
    if (!::mkdtemp(pattern.data())) std::abort();
    directory_ = pattern;
    for (unsigned i = 0; i != count; ++i) {
      ++busy_;
      const strand s = make_strand();
      auto f = std::make_shared<file_user>(s, (directory_ / std::to_string(i)).string());
      asio::post(s, [this, f] { disturb_file(f); });
      asio::co_spawn(s, write_and_read(f), ended());
    }
  }
#else
  void start_files(unsigned) {} // stock Asio has none on epoll
#endif

public:
  site(int threads, unsigned clients)
  {
    ++total.contexts;
    context_.emplace(threads == 1 ? 1 : BOOST_ASIO_CONCURRENCY_HINT_DEFAULT);
    static unsigned names = 0;
    tcp_ = listen<tcp>({asio::ip::address_v4::loopback(), 0});
    local_ = listen<local>(std::string(1, '\0') + "soak." + std::to_string(::getpid()) + "." +
                           std::to_string(++names));
    auto echo = open_datagrams();
    udp_ = echo->socket.local_endpoint();
    asio::co_spawn(echo->socket.get_executor(), echo_datagrams(echo), ended());
    for (unsigned i = 0; i != clients / 8; ++i) {
      ++busy_;
      auto d = open_datagrams();
      asio::co_spawn(d->socket.get_executor(), exchange_datagrams(d), ended());
    }
    start_files(clients / 8);
    for (unsigned i = 0; i != clients; ++i) {
      ++busy_;
      start_client(i);
    }
    for (int i = 0; i != threads; ++i)
      threads_.emplace_back([this] { context_->run(); });
  }
  site(const site&) = delete;

  /// Everybody gets what he still waits for; then run() has to return by itself.
  void finish()
  {
    closing_ = true;
    const auto limit = clock_type::now() + 3 * patience;
    while (!context_->stopped() && clock_type::now() < limit)
      std::this_thread::sleep_for(1ms);
    if (!context_->stopped()) {
      report(total.lost, 0, "run() does not return");
      context_->stop();
    }
    leave();
    if (book_.destroyed)
      report(total.wrong, 0, std::to_string(book_.destroyed) + " handlers were not called");
  }

  /// Stops in the middle, and destroys the context as it is.
  void abandon()
  {
    ++total.contexts_abandoned;
    closing_ = true;
    context_->stop();
    leave();
  }

private:
  void leave()
  {
    for (auto& t : threads_)
      t.join();
    context_.reset();
    if (!directory_.empty()) std::filesystem::remove_all(directory_);
    if (book_.started != book_.completed + book_.destroyed)
      report(total.wrong, 0,
             std::to_string(book_.started) + " operations were started, " + std::to_string(book_.completed) +
                 " handlers called, " + std::to_string(book_.destroyed) + " destroyed");
    total.operations += book_.started;
    total.destroyed += book_.destroyed;
  }
};

// --- The process. -----------------------------------------------------------------------------------------

std::vector<int> open_descriptors()
{
  std::vector<int> all;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd"))
    all.push_back(std::stoi(entry.path().filename()));
  return all;
}

/// For a moment there is no descriptor to be had.
void exhaust_descriptors()
{
  ++total.exhaustions;
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  const auto open = open_descriptors();
  const rlimit now{static_cast<rlim_t>(*std::max_element(open.begin(), open.end())) + 1, before.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &now);
  std::vector<int> taken;
  const auto until = clock_type::now() + 60ms;
  do {
    for (int fd; (fd = ::dup(0)) != -1;)
      taken.push_back(fd);
    std::this_thread::sleep_for(1ms);
  } while (clock_type::now() < until);
  ::setrlimit(RLIMIT_NOFILE, &before);
  for (int fd : taken)
    ::close(fd);
}

struct sample
{
  double seconds = 0, resident = 0, live = 0; // MiB
  double descriptors = 0;
};

sample measure(clock_type::time_point start)
{
  sample s;
  s.seconds = std::chrono::duration<double>(clock_type::now() - start).count();
  long pages = 0, resident = 0;
  if (std::FILE* f = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(f, "%ld %ld", &pages, &resident) != 2) std::abort();
    std::fclose(f);
  }
  s.resident = static_cast<double>(resident * ::sysconf(_SC_PAGESIZE)) / (1 << 20);
  const auto heap = ::mallinfo2();
  s.live = static_cast<double>(heap.uordblks + heap.hblkhd) / (1 << 20);
  s.descriptors = static_cast<double>(open_descriptors().size());
  return s;
}

struct quarters
{
  double second, last;
};

/// Of the samples, not of the time: on a busy machine there may be none for a while.
quarters medians(const std::vector<sample>& samples, double sample::*member)
{
  const auto median = [&](std::size_t quarter) {
    const std::size_t first = samples.size() * quarter / 4, end = samples.size() * (quarter + 1) / 4;
    std::vector<double> values;
    for (std::size_t i = first; i < std::max(end, first + 1); ++i)
      values.push_back(samples.at(i).*member);
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
  };
  return {median(1), median(3)};
}

unsigned long long value(const counter& c) { return c.load(); }

} // namespace

int main(int argc, char** argv)
{
  const double seconds = argc > 1 ? std::atof(argv[1]) : 600;
  if (seconds < 1) {
    std::fprintf(stderr, "usage: soak [SECONDS]\n");
    return 2;
  }
  std::signal(SIGPIPE, SIG_IGN); // of pipes whose reader is gone, as with any write
  ::mallopt(M_ARENA_MAX, 1);     // one heap: what is live is not spread over as many as there were threads

  { // What is allocated for good at the first use is no leak.
    site first(2, 16);
    std::this_thread::sleep_for(500ms);
    first.finish();
    site second(2, 16);
    std::this_thread::sleep_for(100ms);
    second.abandon();
  }
  const auto start = clock_type::now();
  std::vector<sample> samples;
  samples.reserve(static_cast<std::size_t>(seconds * 10) + 100);
  random_engine random(11);
  const sample before = measure(start);

  {
    site many_threads(3, crowd), one_thread(1, crowd);
    std::printf("%8s %12s %10s %10s %12s %10s %10s\n", "seconds", "MiB", "cancels", "sessions",
                "resident MiB", "live MiB", "open files");
    double next_row = 0;
    for (unsigned round = 0; samples.empty() || samples.back().seconds < seconds; ++round) {
      std::this_thread::sleep_for(100ms);
      const sample& s = samples.emplace_back(measure(start));
      if (s.seconds >= next_row) {
        next_row += seconds / 20;
        std::printf("%8.0f %12.0f %10llu %10llu %12.1f %10.2f %10.0f\n", s.seconds,
                    static_cast<double>(total.bytes) / (1 << 20),
                    value(total.cancels) + value(total.slot_cancels), value(total.sessions), s.resident,
                    s.live, s.descriptors);
        std::fflush(stdout);
      }
      if (round % 10 == 5) exhaust_descriptors();
      if (round % 10 == 0) {
        site passing(random() % 2 ? 1 : 2, 8);
        std::this_thread::sleep_for(std::chrono::milliseconds(random() % 300));
        round % 20 ? passing.finish() : passing.abandon();
      }
    }
    many_threads.finish();
    one_thread.finish();
  }
  const sample after = measure(start);

  const auto resident = medians(samples, &sample::resident);
  const auto live = medians(samples, &sample::live);
  const auto files = medians(samples, &sample::descriptors);
  const double left = (after.live - before.live) * 1024;

  const bool complete = total.lost == 0 && total.wrong == 0 &&
                        total.sessions == total.whole + total.killed + total.refused + total.abandoned;
  const bool steady = files.second == 0 || files.last <= files.second * 1.1 + 8; // 0: too slow for a sample
  const bool closed = after.descriptors == before.descriptors && steady;
#ifdef SANITIZED
  const bool flat = true; // the sanitizer's memory, not ours
#else
  const bool flat =
      resident.last <= resident.second * 1.05 + 4 && live.last <= live.second * 1.05 + 1 && left <= 64;
#endif

  std::printf(
      "\noperations   %llu, of these aborted and started again %llu, destroyed with their context %llu\n",
      value(total.operations), value(total.aborted), value(total.destroyed));
  std::printf("data         %.1f GiB, %llu datagrams, %llu blocks of files, %llu timers\n",
              static_cast<double>(total.bytes) / (1 << 30), value(total.datagrams), value(total.blocks),
              value(total.timers));
  std::printf("cancels      %llu by slot, %llu by cancel()\n", value(total.slot_cancels),
              value(total.cancels));
  std::printf("sessions     %llu: %llu whole, %llu killed, %llu not connected, %llu abandoned\n",
              value(total.sessions), value(total.whole), value(total.killed), value(total.refused),
              value(total.abandoned));
  std::printf("kills        %llu resets, %llu closes, %llu destructions\n", value(total.resets),
              value(total.closes), value(total.destructions));
  std::printf("contexts     %llu, %llu of them destroyed in the middle\n", value(total.contexts),
              value(total.contexts_abandoned));
  std::printf("exhaustion   %llu times, %llu operations without a descriptor\n", value(total.exhaustions),
              value(total.no_descriptor));
  std::printf(
      "resident     %.1f MiB in the second quarter, %.1f MiB in the last (allowed: 5 %% and 4 MiB more)\n",
      resident.second, resident.last);
  std::printf(
      "live         %.2f MiB in the second quarter, %.2f MiB in the last (allowed: 5 %% and 1 MiB more); "
      "%.1f KiB left (allowed: 64)\n",
      live.second, live.last, left);
  std::printf("descriptors  %.0f in the second quarter, %.0f in the last; %.0f before, %.0f after\n",
              files.second, files.last, before.descriptors, after.descriptors);
  std::printf("lost         %llu\nwrong        %llu\n", value(total.lost), value(total.wrong));
  const bool passed = complete && closed && flat;
  std::printf("verdict      %s%s%s%s\n", passed ? "passed" : "FAILED", complete ? "" : ": lost or wrong",
              closed ? "" : ": descriptors leaked", flat ? "" : ": memory grew");
  return passed ? 0 : 1;
}
