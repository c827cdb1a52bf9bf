// properties.cpp: random programs on a simulated kernel, and what must hold whatever both do.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)
//
// property_tests --run_test=properties/ring_automatic -- --seed N --steps M repeats one program; without,
// many run. ASIO_URING_SEED, ASIO_URING_STEPS and ASIO_URING_SEEDS (how many) do the same.

#include "simulated_kernel.hpp"
#include <asio_uring/asio_uring.hpp>
#include <atomic>
#include <boost/asio.hpp>
#include <boost/test/unit_test.hpp>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <optional>
#include <set>
#include <string>
#include <sys/un.h>
#include <sys/wait.h>
#include <vector>

namespace asio = boost::asio;
using asio_uring::path;
using asio_uring::pump_kind;
using boost::system::error_code;
using protocol = asio_uring::local::stream_protocol;
using socket_type = protocol::socket;

// Memory in use, counted. Not inlined, or g++ sees malloc's memory deleted.
static std::atomic<long> live_blocks{0};
[[gnu::noinline]] void* operator new(std::size_t size)
{
  void* const block = std::malloc(size ? size : 1);
  if (!block) throw std::bad_alloc();
  ++live_blocks;
  return block;
}
[[gnu::noinline]] void operator delete(void* block) noexcept
{
  if (block) --live_blocks;
  std::free(block);
}
void operator delete(void* block, std::size_t) noexcept { operator delete(block); }

namespace {

/// One direction of a connection: what was sent, what came.
struct stream
{
  std::vector<unsigned char> sent, received;
  std::size_t compared = 0;
  bool unknown = false; // a write was destroyed with the context: nobody knows how much it sent
  bool ended = false;   // the reader came to the end

  /// Whatever both sides know must be the same.
  bool consistent()
  {
    for (const std::size_t n = std::min(sent.size(), received.size()); compared < n; ++compared)
      if (sent[compared] != received[compared]) return false;
    return true;
  }
};

struct connection;

/// One end: a socket of the library, or another process's.
struct end
{
  std::shared_ptr<socket_type> socket;
  int raw = -1;
  bool raw_shut = false;
  bool shut = false; // for sending
  bool on_strand = false;
  stream* in = nullptr;
  stream* out = nullptr;
  end* peer = nullptr;
  std::set<struct op*> ops;
  unsigned reads = 0, writes = 0;

  bool open() const { return socket && socket->is_open(); }
};

struct connection
{
  stream streams[2];
  end ends[2];
};

enum class kind
{
  read,
  peek,
  write,
  wait,
  accept,
  accept_into,
  connect,
  post,
  timer
};
constexpr const char* names[] = {"read",        "peek",    "write", "wait", "accept",
                                 "accept_into", "connect", "post",  "timer"};

class world;

/// What the test knows of one operation.
struct op
{
  op(world& w, kind k) : world_(w), what(k) {}
  world& world_;
  const kind what;
  end* where = nullptr;
  std::size_t number = 0;
  int calls = 0, destroyed = 0;
  bool asked = false;       // to end early
  bool asked_alone = false; // not those before it
  asio::cancellation_signal signal;
  bool slot = false;
  std::vector<unsigned char> data;
  std::shared_ptr<socket_type> own; // connects, or is accepted into
  asio::socket_base::wait_type wait{};
};

constexpr unsigned char poison = 0xA5;

/// Counts what the library takes with the handler's allocator.
template <typename T>
struct counting_allocator
{
  using value_type = T;
  explicit counting_allocator(long* n) noexcept : blocks(n) {}
  template <typename U>
  counting_allocator(const counting_allocator<U>& other) noexcept : blocks(other.blocks)
  {}
  T* allocate(std::size_t n)
  {
    ++*blocks;
    return std::allocator<T>().allocate(n);
  }
  void deallocate(T* p, std::size_t n)
  {
    --*blocks;
    std::allocator<T>().deallocate(p, n);
  }
  friend bool operator==(const counting_allocator& a, const counting_allocator& b)
  {
    return a.blocks == b.blocks;
  }
  long* blocks;
};

/// Runs once or is destroyed once, and tells.
class handler
{
public:
  handler(op& o, std::shared_ptr<socket_type> kept) : op_(&o), kept_(std::move(kept)) {}
  handler(handler&& other) noexcept : op_(std::exchange(other.op_, nullptr)), kept_(std::move(other.kept_)) {}
  handler& operator=(handler&&) = delete;
  ~handler();

  void operator()() { (*this)(error_code(), 0); }
  void operator()(error_code ec) { (*this)(ec, 0); }
  void operator()(error_code ec, socket_type peer);
  void operator()(error_code ec, std::size_t n);

  using cancellation_slot_type = asio::cancellation_slot;
  cancellation_slot_type get_cancellation_slot() const noexcept
  {
    return op_ && op_->slot ? op_->signal.slot() : asio::cancellation_slot();
  }

protected:
  op* op_;
  std::shared_ptr<socket_type> kept_; // as a session keeps itself alive
};

/// The same with memory of its own.
class allocating_handler : public handler
{
public:
  allocating_handler(op& o, std::shared_ptr<socket_type> kept);
  using allocator_type = counting_allocator<void>;
  allocator_type get_allocator() const noexcept { return allocator_type(blocks_); }

private:
  long* blocks_;
};

struct settings
{
  asio_uring::path path = path::automatic;
  pump_kind pump = pump_kind::ring;
};

unsigned long total_steps = 0, total_worlds = 0, total_operations = 0;

/// A program, its peers and its kernel.
class world final : public environment
{
public:
  world(std::uint64_t seed, unsigned long steps, const settings& s)
      : seed_(seed), limit_(steps), settings_(s), random_(seed)
  {}

  void run()
  {
    ::alarm(120);
    const unsigned open_before = open_descriptors();
    set_up();
    while (step_ < limit_) {
      if (random_.chance(550))
        act();
      else
        turn();
      check_graves(64);
    }
    ending_ = true;
    if (random_.chance(750)) drain();
    tear_down();
    if (open_descriptors() != open_before) fail("descriptors leaked");
    ++total_worlds;
    total_steps += step_;
    total_operations += operations_.size();
  }

  void completed(op& o, error_code ec, std::size_t n);
  void destroyed(op& o);
  void accepted(op& o, error_code ec, std::shared_ptr<socket_type> peer);

  [[noreturn]] void fail(const char* what) override
  {
    std::fprintf(
        stderr,
        "\nseed %llu, step %lu: %s\nto repeat: property_tests --run_test=properties/%s -- --seed %llu "
        "--steps %lu\n",
        static_cast<unsigned long long>(seed_), step_, what, suite_name(),
        static_cast<unsigned long long>(seed_), limit_);
    for (const auto& c : connections_)
      for (const end& e : c->ends)
        std::fprintf(stderr, "end: %s, %u reads, %u writes, %zu operations, sent %zu, received %zu%s%s\n",
                     e.open()     ? "open"
                     : e.raw >= 0 ? "another process's"
                                  : "closed",
                     e.reads, e.writes, e.ops.size(), e.out->sent.size(), e.in->received.size(),
                     e.shut ? ", shut" : "", e.in->ended ? ", at the end" : "");
    if (kernel_) kernel_->describe();
    std::abort();
  }

  long record_blocks = 0;

private:
  const char* suite_name() const noexcept
  {
    return settings_.pump == pump_kind::guest ? (settings_.path == path::completion  ? "guest_completion"
                                                 : settings_.path == path::readiness ? "guest_readiness"
                                                                                     : "guest_automatic")
                                              : (settings_.path == path::completion  ? "ring_completion"
                                                 : settings_.path == path::readiness ? "ring_readiness"
                                                                                     : "ring_automatic");
  }

  void fail_on(const op& o, const char* what, error_code ec = {})
  {
    const std::string text = "operation " + std::to_string(o.number) + " (" +
                             names[static_cast<unsigned>(o.what)] + "): " + what +
                             (ec ? ": " + ec.message() : "");
    fail(text.c_str());
  }

  static unsigned open_descriptors() noexcept
  {
    unsigned count = 0;
    for (int fd = 0; fd < 256; ++fd)
      count += ::fcntl(fd, F_GETFD) >= 0;
    return count;
  }

  bool guest() const noexcept { return settings_.pump == pump_kind::guest; }

  // --- beginning

  void set_up()
  {
    switch (random_.below(3)) {
    case 0:
      context_.emplace();
      break;
    case 1:
      context_.emplace(1);
      break;
    default:
      context_.emplace(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE);
    }
    asio_uring::options o;
    o.path = settings_.path;
    o.pump = settings_.pump;
    o.entries = 2u << random_.below(4);
    o.completions = 2 * o.entries + static_cast<unsigned>(random_.below(3)) * 8;
    // Smaller than a program can ask for: even a completion queue of two is legal.
    const unsigned completions = random_.chance(300) ? 2 : o.completions;
    odds odds;
    if (random_.chance(200)) odds.refuse = 200;
    if (random_.chance(200)) odds.partial = 400;
    if (random_.chance(200)) odds.thread_exits = 60;
    if (random_.chance(200)) odds.deliver = odds.go_on = 100;
    if (random_.chance(200)) odds.cancel_loses = 900;
    o.kernel = [this, entries = o.entries, completions, odds] {
      auto k = std::make_unique<simulated_kernel>(entries, completions, random_, *this, odds);
      kernel_ = k.get();
      return k;
    };
    if (guest()) asio::use_service<asio::detail::reactor>(*context_);
    asio_uring::use_io_uring(*context_, o);
    strand_.emplace(asio::make_strand(*context_));

    static unsigned number = 0;
    name_.assign(1, '\0');
    name_ += "asio_uring." + std::to_string(::getpid()) + "." + std::to_string(++number);
    acceptor_.emplace(*context_, protocol::endpoint(name_));
    if (random_.chance(300)) acceptor_->native_non_blocking(true);
    for (std::size_t i = 2 + random_.below(4); i > 0; --i)
      add_connection();
  }

  void add_connection()
  {
    int fds[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0) fail("socketpair");
    auto& c = *connections_.emplace_back(std::make_unique<connection>());
    const int small = 4096;
    for (const int fd : fds)
      ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
    for (int i = 0; i < 2; ++i) {
      end& e = c.ends[i];
      e.in = &c.streams[i];
      e.out = &c.streams[1 - i];
      e.peer = &c.ends[1 - i];
      e.on_strand = random_.chance(200);
      if (i == 1 && random_.chance(500)) {
        e.raw = fds[i];
        continue;
      }
      e.socket = std::make_shared<socket_type>(*context_, protocol(), fds[i]);
      if (random_.chance(200)) e.socket->native_non_blocking(true);
    }
  }

  // --- the program

  end* any_end()
  {
    if (connections_.empty()) return nullptr;
    end& e = connections_[random_.below(connections_.size())]->ends[random_.below(2)];
    return e.open() ? &e : nullptr;
  }

  /// One thing that a program does, in a handler or outside.
  void act()
  {
    ++step_;
    fruitless_ = 0;
    const std::size_t choice = random_.below(100);
    if (choice < 8) return post();
    if (choice < 12) return connect_somewhere();
    if (choice < 16) return accept();
    if (choice < 18) return guest() ? post() : start_timer();
    if (choice < 20) return cancel_by_slot();
    if (choice < 21) return move_acceptor();
    if (choice < 22) {
      if (random_.chance(300)) {
        for (op* o : accepts_)
          o->asked = true;
        acceptor_->cancel();
      }
      return;
    }
    end* e = any_end();
    if (!e) {
      if (connections_.size() < 12 || retire()) add_connection();
      return;
    }
    if (choice < 50)
      read(*e);
    else if (choice < 78)
      write(*e);
    else if (choice < 83)
      wait(*e);
    else if (choice < 87)
      cancel(*e);
    else if (choice < 89)
      close(*e);
    else if (choice < 93)
      move(*e);
    else if (choice < 94)
      shut(*e);
    else if (choice < 98)
      read_now(*e);
    else
      write_now(*e);
  }

  op& make(kind k, end* e)
  {
    op& o = *operations_.emplace_back(std::make_unique<op>(*this, k));
    o.number = operations_.size();
    o.where = e;
    o.slot = random_.chance(300);
    if (e) e->ops.insert(&o);
    return o;
  }

  template <typename Initiate>
  void start(op& o, Initiate&& initiate)
  {
    std::shared_ptr<socket_type> kept;
    if (o.where && random_.chance(200)) kept = o.where->socket;
    const bool on_strand = o.where ? o.where->on_strand : random_.chance(100);
    if (random_.chance(500)) {
      allocating_handler h(o, std::move(kept));
      on_strand ? initiate(asio::bind_executor(*strand_, std::move(h))) : initiate(std::move(h));
    } else {
      handler h(o, std::move(kept));
      on_strand ? initiate(asio::bind_executor(*strand_, std::move(h))) : initiate(std::move(h));
    }
  }

  void read(end& e)
  {
    if (e.reads >= 4) return;
    op& o = make(random_.chance(80) ? kind::peek : kind::read, &e);
    ++e.reads;
    const std::size_t size = random_.chance(20) ? 0 : 1 + random_.below(random_.chance(800) ? 300 : 6000);
    o.data.assign(size, 0);
    const auto flags = o.what == kind::peek ? asio::socket_base::message_peek : 0;
    start(o, [&](auto&& h) {
      if (random_.chance(500))
        e.socket->async_receive(asio::buffer(o.data), flags, std::move(h));
      else
        e.socket->async_receive(split<asio::mutable_buffer>(o.data), flags, std::move(h));
    });
  }

  void write(end& e)
  {
    if (e.writes >= 4) return;
    op& o = make(kind::write, &e);
    ++e.writes;
    const std::size_t size = random_.chance(20) ? 0 : 1 + random_.below(random_.chance(800) ? 300 : 9000);
    fill(o.data, size);
    start(o, [&](auto&& h) {
      if (random_.chance(500))
        e.socket->async_write_some(asio::buffer(o.data), std::move(h));
      else
        e.socket->async_write_some(split<asio::const_buffer>(o.data), std::move(h));
    });
  }

  void fill(std::vector<unsigned char>& data, std::size_t size)
  {
    data.resize(size);
    auto value = static_cast<unsigned char>(random_.next());
    for (unsigned char& c : data)
      c = value = static_cast<unsigned char>(value * 13 + 7);
  }

  template <typename Buffer>
  std::vector<Buffer> split(std::vector<unsigned char>& data)
  {
    std::vector<Buffer> buffers;
    std::size_t from = 0;
    for (std::size_t i = random_.below(5); i > 0 && from < data.size(); --i) {
      const std::size_t size = random_.below(data.size() - from + 1);
      buffers.emplace_back(data.data() + from, size);
      from += size;
    }
    buffers.emplace_back(data.data() + from, data.size() - from);
    return buffers;
  }

  void wait(end& e)
  {
    op& o = make(kind::wait, &e);
    static constexpr asio::socket_base::wait_type types[] = {
        asio::socket_base::wait_read, asio::socket_base::wait_write, asio::socket_base::wait_error};
    o.wait = types[random_.below(3)];
    start(o, [&](auto&& h) { e.socket->async_wait(o.wait, std::move(h)); });
  }

  void post()
  {
    op& o = make(kind::post, nullptr);
    start(o, [&](auto&& h) {
      random_.chance(500) ? asio::post(*context_, std::move(h)) : asio::defer(*context_, std::move(h));
    });
  }

  void start_timer()
  {
    if (timers_.size() < 4) timers_.push_back(std::make_unique<timer>(*context_));
    timer& t = *timers_[random_.below(timers_.size())];
    for (op* o : timer_ops_)
      o->asked = true;
    t.expires_after(std::chrono::milliseconds(random_.below(60)));
    op& o = make(kind::timer, nullptr);
    timer_ops_.insert(&o);
    start(o, [&](auto&& h) { t.async_wait(std::move(h)); });
  }

  void accept()
  {
    if (accepts_.size() >= 3) return;
    op& o = make(random_.chance(500) ? kind::accept : kind::accept_into, nullptr);
    accepts_.insert(&o);
    if (o.what == kind::accept)
      start(o, [&](auto&& h) { acceptor_->async_accept(*context_, std::move(h)); });
    else {
      o.own = std::make_shared<socket_type>(*context_);
      start(o, [&](auto&& h) { acceptor_->async_accept(*o.own, std::move(h)); });
    }
  }

  void connect_somewhere()
  {
    if (connects_ >= 8) return;
    op& o = make(kind::connect, nullptr);
    ++connects_;
    o.own = std::make_shared<socket_type>(*context_);
    start(o, [&](auto&& h) { o.own->async_connect(protocol::endpoint(name_), std::move(h)); });
  }

  void move_acceptor()
  {
    protocol::acceptor other(std::move(*acceptor_));
    *acceptor_ = std::move(other);
  }

  void cancel_by_slot()
  {
    for (int tries = 0; tries < 8; ++tries) {
      const std::size_t back = 1 + random_.below(32);
      if (back > operations_.size()) continue;
      op& o = *operations_[operations_.size() - back];
      if (!o.slot || o.calls || o.destroyed) continue;
      o.asked = o.asked_alone = true;
      static constexpr asio::cancellation_type types[] = {asio::cancellation_type::terminal,
                                                          asio::cancellation_type::partial,
                                                          asio::cancellation_type::total};
      return o.signal.emit(types[random_.below(3)]);
    }
  }

  static void ask(end& e)
  {
    for (op* o : e.ops)
      o->asked = true;
  }
  void cancel(end& e)
  {
    ask(e);
    e.socket->cancel();
  }

  void close(end& e)
  {
    ask(e);
    error_code ec;
    switch (random_.below(3)) {
    case 0:
      e.socket->close(ec);
      if (ec) fail("close reports an error");
      break;
    case 1: // closes what is there
      *e.socket = socket_type(*context_);
      break;
    default:
      if (e.socket.use_count() > 1)
        e.socket->close(ec);
      else
        e.socket.reset();
    }
  }

  void move(end& e)
  {
    socket_type other(std::move(*e.socket));
    if (e.socket->is_open()) fail("a socket that was moved from is open");
    if (random_.chance(300)) act_elsewhere(e);
    *e.socket = std::move(other);
  }
  void act_elsewhere(end& e)
  {
    end* other = any_end();
    if (other && other != &e) random_.chance(500) ? read(*other) : write(*other);
  }

  // For sending: when all that was started has been sent.
  void shut(end& e)
  {
    if (e.writes > 0) return;
    error_code ec;
    e.socket->shutdown(asio::socket_base::shutdown_send, ec);
    e.shut = true;
  }

  /// Synchronously, if there is something.
  void read_now(end& e)
  {
    if (e.reads > 0 || e.on_strand) return;
    error_code ec;
    const std::size_t size = e.socket->available(ec);
    if (!ec && e.peer->writes == 0 && !e.in->unknown && size != e.in->sent.size() - e.in->received.size())
      fail("available() is not what is there");
    if (ec || size == 0) return;
    std::vector<unsigned char> data(1 + random_.below(size));
    const std::size_t n = e.socket->read_some(asio::buffer(data), ec);
    if (ec || n == 0) fail("what is available cannot be read");
    received(e, data.data(), n);
  }

  void write_now(end& e)
  {
    if (e.writes > 0 || e.shut || e.on_strand) return;
    pollfd p{e.socket->native_handle(), POLLOUT, 0};
    if (::poll(&p, 1, 0) != 1 || p.revents != POLLOUT) return;
    std::vector<unsigned char> data;
    fill(data, 1 + random_.below(64));
    error_code ec;
    const std::size_t n = e.socket->write_some(asio::buffer(data), ec);
    sent(e, data.data(), n);
  }

  // --- the loop

  void turn()
  {
    ++step_;
    fruitless_ = 0;
    if (context_->stopped() && random_.chance(900)) context_->restart();
    if (random_.chance(100)) kernel_->interrupt();
    if (guest() && random_.chance(800)) kernel_->signal();
    switch (random_.below(guest() ? 2 : 7)) {
    case 0:
      context_->poll();
      break;
    case 1:
      context_->poll_one();
      break;
    case 2:
      context_->run_for_virtual_time(*this);
      break;
    case 3:
      context_->run();
      break;
    default:
      context_->run_one();
    }
    if (random_.chance(20)) context_->stop();
  }

  // --- what comes back

  /// Handlers are called in the order in which the operations were started: reads, writes, accepts.
  void check_order(const op& o, const std::set<op*>& others)
  {
    if (o.asked_alone || (o.where && o.data.empty())) return; // a stream transfers nothing at once
    const auto same = [&](kind k) { return k == o.what || (is_read(k) && is_read(o.what)) || is_accept(k); };
    for (const op* other : others)
      if (other->number < o.number && same(other->what) && !other->calls)
        fail_on(o, "its handler was called before that of an earlier one");
  }
  static bool is_read(kind k) noexcept { return k == kind::read || k == kind::peek; }
  static bool is_accept(kind k) noexcept { return k == kind::accept || k == kind::accept_into; }

  void received(end& e, const unsigned char* data, std::size_t n)
  {
    e.in->received.insert(e.in->received.end(), data, data + n);
    if (!e.in->consistent()) fail("a stream's bytes are lost, doubled or out of order");
  }
  void sent(end& e, const unsigned char* data, std::size_t n)
  {
    e.out->sent.insert(e.out->sent.end(), data, data + n);
    if (!e.out->consistent()) fail("a stream's bytes are lost, doubled or out of order");
  }

  /// The buffer must not be touched from now on: it is freed, or watched.
  void bury(op& o)
  {
    if (o.data.empty()) return;
    std::fill(o.data.begin(), o.data.end(), poison);
    if (random_.chance(500))
      std::vector<unsigned char>().swap(o.data);
    else
      graves_.push_back(&o);
  }
  void check_graves(std::size_t keep)
  {
    for (; graves_.size() > keep; graves_.pop_front()) {
      op& o = *graves_.front();
      if (std::any_of(o.data.begin(), o.data.end(), [](unsigned char c) { return c != poison; }))
        fail_on(o, "its buffer was written to after it had ended");
      std::vector<unsigned char>().swap(o.data);
    }
  }

  void go_on_in_handler()
  {
    if (step_ < limit_ && !ending_)
      for (std::size_t n = random_.below(3); n > 0; --n)
        act();
  }

  /// A connection of the acceptor: its first bytes are its name.
  void look_at_accepted()
  {
    for (auto peer = accepted_.begin(); peer != accepted_.end();) {
      std::uint64_t id;
      const ssize_t n = ::recv((*peer)->native_handle(), &id, sizeof(id), MSG_DONTWAIT);
      if (n < 0 && errno == EAGAIN) {
        ++peer;
        continue;
      }
      if (n == sizeof(id) && (!named_.contains(id) || !arrived_.insert(id).second))
        fail("a connection was accepted twice");
      peer = accepted_.erase(peer);
    }
  }

  // --- others

  void others_go_on() override
  {
    if (++fruitless_ == 100'000) fail("the loop turns and gets nowhere");
    for (std::size_t n = random_.below(3); n > 0; --n)
      if (!connections_.empty())
        if (end& e = connections_[random_.below(connections_.size())]->ends[1]; e.raw >= 0) raw_goes_on(e);
    if (random_.chance(20) && !ending_) raw_connects();
  }

  bool raw_goes_on(end& e)
  {
    bool happened = false;
    unsigned char data[2048];
    if (random_.chance(700) || ending_) {
      const ssize_t n = ::recv(e.raw, data, 1 + random_.below(sizeof(data)), MSG_DONTWAIT);
      if (n > 0) received(e, data, static_cast<std::size_t>(n));
      if (n == 0 || (n < 0 && errno != EAGAIN)) e.in->ended = true;
      happened |= n > 0;
    }
    if (ending_) {
      if (!std::exchange(e.raw_shut, true)) happened |= ::shutdown(e.raw, SHUT_WR) == 0;
    } else if (random_.chance(600)) {
      std::vector<unsigned char> some;
      fill(some, 1 + random_.below(random_.chance(800) ? 200 : 6000));
      const ssize_t n = ::send(e.raw, some.data(), some.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      if (n > 0) sent(e, some.data(), static_cast<std::size_t>(n));
      happened |= n > 0;
    } else if (random_.chance(10)) {
      ::close(std::exchange(e.raw, -1));
      happened = true;
    }
    return happened;
  }

  void raw_connects()
  {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const protocol::endpoint to(name_);
    if (::connect(fd, to.data(), static_cast<socklen_t>(to.size())) == 0) name(fd);
    ::close(fd);
  }
  void name(int fd)
  {
    const std::uint64_t id = ++last_name_;
    if (::send(fd, &id, sizeof(id), MSG_DONTWAIT | MSG_NOSIGNAL) == sizeof(id)) named_.insert(id);
  }

  void asleep() override
  {
    check_sleep();
    bool happened = false;
    for (const auto& c : connections_)
      if (c->ends[1].raw >= 0) happened |= raw_goes_on(c->ends[1]);
    if (happened && (ending_ || random_.chance(500))) return;
    if (ending_) {
      for (const auto& o : operations_)
        if (!o->calls && !o->destroyed) fail_on(*o, "it never ends: the loop sleeps for ever");
      fail("the loop sleeps for ever, though nothing is outstanding");
    }
    context_->stop();
  }

  /// A loop that sleeps must not have anything to do.
  void check_sleep()
  {
    for (const auto& c : connections_)
      for (end& e : c->ends) {
        if (!e.open()) continue;
        for (const auto& [events, count, what] :
             {std::tuple(POLLIN, e.reads, "a read sleeps though there is data"),
              std::tuple(POLLOUT, e.writes, "a write sleeps though there is room")}) {
          pollfd p{e.socket->native_handle(), static_cast<short>(events), 0};
          if (count > 0 && ::poll(&p, 1, 0) == 1) fail(what);
        }
      }
    pollfd p{acceptor_->native_handle(), POLLIN, 0};
    if (!accepts_.empty() && ::poll(&p, 1, 0) == 1) fail("an accept sleeps though there is a connection");
  }

  // --- end

  /// Forgets a connection that is over.
  bool retire()
  {
    for (auto c = connections_.begin(); c != connections_.end(); ++c)
      if (!(*c)->ends[0].open() && !(*c)->ends[1].open() && (*c)->ends[0].ops.empty() &&
          (*c)->ends[1].ops.empty()) {
        check_end(**c);
        if ((*c)->ends[1].raw >= 0) ::close((*c)->ends[1].raw);
        connections_.erase(c);
        return true;
      }
    return false;
  }

  void check_end(connection& c)
  {
    for (stream& s : c.streams) {
      if (!s.consistent()) fail("a stream's bytes are lost, doubled or out of order");
      if (s.unknown) continue;
      if (s.received.size() > s.sent.size()) fail("a stream has more bytes than were sent");
      if (s.ended && s.received.size() < s.sent.size()) fail("a stream's last bytes are lost");
    }
  }

  void run_out()
  {
    context_->restart();
    if (!guest()) {
      context_->run();
      return;
    }
    for (int rounds = 0; rounds < 2000; ++rounds) {
      kernel_->signal();
      simulated_clock::time += std::chrono::milliseconds(1);
      for (const auto& c : connections_)
        if (c->ends[1].raw >= 0) raw_goes_on(c->ends[1]);
      context_->poll();
      if (context_->stopped()) return;
    }
    check_sleep();
    for (const auto& o : operations_)
      if (!o->calls && !o->destroyed) fail_on(*o, "it never ends");
    fail("run() does not return, though nothing is outstanding");
  }

  /// Everything comes to its end by itself: peers send what is left, sockets read it.
  void drain()
  {
    for (op* o : accepts_)
      o->asked = true;
    acceptor_->cancel();
    for (op* o : timer_ops_)
      o->asked = true;
    timers_.clear();
    for (const auto& c : connections_)
      for (end& e : c->ends)
        if (e.open()) {
          if (random_.chance(300)) cancel(e);
          for (op* o : e.ops)
            if (o->what == kind::wait) {
              cancel(e);
              break;
            }
          if (e.writes == 0 && !e.shut) shut(e);
          if (e.reads == 0 && !e.in->ended) read_on(e);
        }
    draining_ = true;
    // Connects wait for room among those that are not yet accepted.
    for (const auto& o : operations_)
      if (o->what == kind::connect && !o->calls && !o->destroyed) {
        o->asked = true;
        o->own->cancel();
      }
    run_out();
    for (const auto& o : operations_)
      if (o->calls != 1) fail_on(*o, "run() returned before it had ended");
    for (const auto& c : connections_)
      for (end& e : c->ends)
        if (e.open() && !e.in->ended) fail("a stream does not come to its end");
    // What was connected is accepted, or waits for it.
    sockaddr_un any;
    socklen_t size = sizeof(any);
    const int listener = acceptor_->native_handle();
    ::fcntl(listener, F_SETFL, ::fcntl(listener, F_GETFL) | O_NONBLOCK);
    for (int fd; (fd = ::accept(listener, reinterpret_cast<sockaddr*>(&any), &size)) >= 0; ::close(fd)) {
      std::uint64_t id;
      if (::recv(fd, &id, sizeof(id), MSG_DONTWAIT) == sizeof(id) && !arrived_.insert(id).second)
        fail("a connection was accepted twice");
    }
    look_at_accepted();
    if (arrived_ != named_) fail("a connection is lost");
  }

  void read_on(end& e)
  {
    op& o = make(kind::read, &e);
    ++e.reads;
    o.data.assign(1 + random_.below(5000), 0);
    start(o, [&](auto&& h) { e.socket->async_receive(asio::buffer(o.data), std::move(h)); });
  }

  void after_drained_operation(end& e)
  {
    if (!draining_ || !e.open()) return;
    if (e.writes == 0 && !e.shut) shut(e);
    if (e.reads == 0 && !e.in->ended) read_on(e);
  }

  void tear_down()
  {
    destroying_ = true;
    for (const auto& o : operations_)
      if (o->what != kind::accept_into && !o->calls) o->asked = true;
    // Sockets that their handlers keep alive end with the context.
    for (const auto& c : connections_)
      for (end& e : c->ends) {
        ask(e);
        e.socket.reset();
        if (e.raw >= 0) ::close(std::exchange(e.raw, -1));
      }
    timers_.clear();
    accepted_.clear();
    acceptor_.reset();
    for (const auto& o : operations_)
      o->own.reset();
    strand_.reset();
    context_.reset();
    kernel_ = nullptr;
    for (const auto& o : operations_)
      if (o->calls + o->destroyed != 1)
        fail_on(*o, o->calls + o->destroyed ? "it ended twice" : "it never ended");
    for (const auto& c : connections_)
      check_end(*c);
    check_graves(0);
    if (record_blocks != 0) fail("a record was not freed");
  }

  struct context_type : asio::io_context
  {
    using asio::io_context::io_context;
    void run_for_virtual_time(world& w)
    {
      const auto until = simulated_clock::now() + std::chrono::milliseconds(w.random_.below(50));
      w.random_.chance(500) ? run_until(until) : run_one_until(until);
    }
  };
  using timer = asio::basic_waitable_timer<simulated_clock>;

  const std::uint64_t seed_;
  const unsigned long limit_;
  const settings settings_;
  generator random_;
  unsigned long step_ = 0;
  unsigned long fruitless_ = 0; // enters since the program last did or got anything
  bool ending_ = false, draining_ = false, destroying_ = false;
  std::vector<std::unique_ptr<op>> operations_;
  std::vector<std::unique_ptr<connection>> connections_;
  std::deque<op*> graves_;
  std::set<op*> accepts_, timer_ops_;
  unsigned connects_ = 0;
  std::string name_;
  std::uint64_t last_name_ = 0;
  std::set<std::uint64_t> named_, arrived_;
  simulated_kernel* kernel_ = nullptr;
  std::optional<context_type> context_;
  std::optional<asio::strand<asio::io_context::executor_type>> strand_;
  std::optional<protocol::acceptor> acceptor_;
  std::vector<std::shared_ptr<socket_type>> accepted_;
  std::vector<std::unique_ptr<timer>> timers_;
};

void world::completed(op& o, error_code ec, std::size_t n)
{
  fruitless_ = 0;
  if (o.calls++ || o.destroyed) fail_on(o, "it completed twice");
  if (destroying_) fail_on(o, "its handler was called by the context's destructor");
  if (ec == asio::error::operation_aborted) {
    if (!o.asked) fail_on(o, "cancelled, though nobody asked");
    if (n != 0) fail_on(o, "cancelled, with bytes");
  }
  const bool memory = ec == asio::error::no_memory || ec == asio::error::no_buffer_space;
  const bool usual = !ec || memory || ec == asio::error::operation_aborted;
  if (n > o.data.size()) fail_on(o, "it reports more bytes than it has");
  end* const e = o.where;
  if (e) e->ops.erase(&o);

  switch (o.what) {
  case kind::read:
  case kind::peek:
    --e->reads;
    check_order(o, e->ops);
    if (!usual && ec != asio::error::eof && ec != asio::error::connection_reset)
      fail_on(o, "an error that no read has", ec);
    if (!ec && n == 0 && !o.data.empty()) fail_on(o, "nothing read");
    if (ec == asio::error::eof || ec == asio::error::connection_reset) e->in->ended = true;
    if (o.what == kind::read)
      received(*e, o.data.data(), n);
    else {
      const std::size_t from = e->in->received.size();
      for (std::size_t i = 0; i < n && from + i < e->in->sent.size(); ++i)
        if (o.data[i] != e->in->sent[from + i]) fail_on(o, "it saw other bytes than come next");
    }
    break;
  case kind::write:
    --e->writes;
    check_order(o, e->ops);
    if (!usual && ec != asio::error::broken_pipe && ec != asio::error::connection_reset)
      fail_on(o, "an error that no write has", ec);
    if (!ec && n == 0 && !o.data.empty()) fail_on(o, "nothing written");
    sent(*e, o.data.data(), n);
    break;
  case kind::connect:
    --connects_;
    if (!usual && ec != asio::error::interrupted) fail_on(o, "an error that no connect has", ec);
    if (!ec) name(o.own->native_handle());
    o.own.reset();
    break;
  case kind::timer:
    timer_ops_.erase(&o);
    if (ec && ec != asio::error::operation_aborted) fail_on(o, "an error that no timer has", ec);
    break;
  case kind::wait:
    if (!usual) fail_on(o, "an error that no wait has", ec);
    break;
  default:
    break;
  }
  bury(o);
  if (e) after_drained_operation(*e);
  go_on_in_handler();
}

void world::accepted(op& o, error_code ec, std::shared_ptr<socket_type> peer)
{
  accepts_.erase(&o);
  check_order(o, accepts_);
  if (ec && ec != asio::error::operation_aborted) fail_on(o, "an error that no accept has", ec);
  if (!ec != peer->is_open()) fail_on(o, "a socket that does not fit its error");
  if (!ec) accepted_.push_back(std::move(peer));
  completed(o, ec, 0);
  look_at_accepted();
}

void world::destroyed(op& o)
{
  fruitless_ = 0;
  if (o.destroyed++ || o.calls) fail_on(o, "destroyed twice");
  if (!destroying_) fail_on(o, "its handler was destroyed while the context lives");
  if (o.what == kind::write) o.where->out->unknown = true;
  bury(o);
}

handler::~handler()
{
  if (op_) op_->world_.destroyed(*op_);
}

void handler::operator()(error_code ec, std::size_t n)
{
  op& o = *std::exchange(op_, nullptr);
  if (o.what == kind::accept_into)
    o.world_.accepted(o, ec, std::exchange(o.own, nullptr));
  else
    o.world_.completed(o, ec, n);
}

void handler::operator()(error_code ec, socket_type peer)
{
  op& o = *std::exchange(op_, nullptr);
  o.world_.accepted(o, ec, std::make_shared<socket_type>(std::move(peer)));
}

allocating_handler::allocating_handler(op& o, std::shared_ptr<socket_type> kept)
    : handler(o, std::move(kept)), blocks_(&o.world_.record_blocks)
{}

/// A number from the command line after "--", or from the environment.
std::optional<unsigned long long> argument(const char* option, const char* variable)
{
  const auto& suite = boost::unit_test::framework::master_test_suite();
  for (int i = 1; i + 1 < suite.argc; ++i)
    if (std::strcmp(suite.argv[i], option) == 0) return std::strtoull(suite.argv[i + 1], nullptr, 10);
  if (const char* value = std::getenv(variable); value && *value) return std::strtoull(value, nullptr, 10);
  return std::nullopt;
}

void run_one_program(std::uint64_t seed, unsigned long steps, const settings& s)
{
  simulated_clock::time = simulated_clock::time_point(std::chrono::hours(1));
  world(seed, steps, s).run();
}

/// Programs of many seeds, or the one that is asked for; memory must stay flat.
void check_properties(const settings& s)
{
  const unsigned long steps = argument("--steps", "ASIO_URING_STEPS").value_or(600);
  if (const auto seed = argument("--seed", "ASIO_URING_SEED")) return run_one_program(*seed, steps, s);
  const auto seeds = argument("--seeds", "ASIO_URING_SEEDS").value_or(300);
  long blocks = 0;
  total_steps = total_worlds = total_operations = 0;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    run_one_program(seed, steps, s);
    if (seed == 10) blocks = live_blocks;
  }
  if (seeds > 10) BOOST_CHECK_LE(live_blocks, blocks + 16);
  BOOST_TEST_MESSAGE(total_steps << " steps, " << total_operations << " operations, " << total_worlds
                                 << " programs");
}

} // namespace

BOOST_AUTO_TEST_SUITE(properties)

BOOST_AUTO_TEST_CASE(ring_automatic) { check_properties({path::automatic, pump_kind::ring}); }
BOOST_AUTO_TEST_CASE(ring_readiness) { check_properties({path::readiness, pump_kind::ring}); }
BOOST_AUTO_TEST_CASE(ring_completion) { check_properties({path::completion, pump_kind::ring}); }
BOOST_AUTO_TEST_CASE(guest_automatic) { check_properties({path::automatic, pump_kind::guest}); }
BOOST_AUTO_TEST_CASE(guest_readiness) { check_properties({path::readiness, pump_kind::guest}); }
BOOST_AUTO_TEST_CASE(guest_completion) { check_properties({path::completion, pump_kind::guest}); }

BOOST_AUTO_TEST_SUITE_END()

// Single scenes that the random programs have found.
namespace {

/// Two connections, and a kernel that does only what it is told.
struct scene : environment
{
  explicit scene(path p, unsigned entries = 8, std::uint64_t seed = 1) : random(seed)
  {
    asio_uring::options o;
    o.path = p;
    o.entries = entries;
    o.completions = 2 * entries;
    o.kernel = [this, entries] {
      auto k = std::make_unique<simulated_kernel>(entries, 2 * entries, random, *this, told);
      kernel = k.get();
      ++kernels;
      return k;
    };
    asio_uring::use_io_uring(context, o);
    for (auto& [a, b] : pairs) {
      a.emplace(context);
      b.emplace(context);
      asio_uring::local::connect_pair(*a, *b);
    }
  }
  void others_go_on() override {}
  void asleep() override { fail("the loop sleeps for ever"); }
  [[noreturn]] void fail(const char* what) override
  {
    std::fprintf(stderr, "%s\n", what);
    std::abort();
  }

  static constexpr odds told{.refuse = 0,
                             .partial = 0,
                             .interrupt = 0,
                             .at_once = 1000,
                             .go_on = 1000,
                             .deliver = 1000,
                             .shorten = 0,
                             .no_memory = 0,
                             .interrupted = 0,
                             .thread_exits = 0,
                             .poll_ends = 0,
                             .spurious = 0,
                             .cancel_loses = 0,
                             .cancel_later = 0};
  generator random;
  simulated_kernel* kernel = nullptr;
  int kernels = 0;
  asio::io_context context;
  std::pair<std::optional<socket_type>, std::optional<socket_type>> pairs[2];
};

} // namespace

BOOST_AUTO_TEST_SUITE(scenes)

BOOST_AUTO_TEST_CASE(a_write_that_found_no_room_and_was_cancelled_meanwhile_is_aborted)
{
  scene s(path::completion);
  socket_type& socket = *s.pairs[0].first;
  socket.non_blocking(true);
  socket.native_non_blocking(true);
  const std::vector<char> much(1 << 20);
  error_code ec;
  while (!ec)
    socket.write_some(asio::buffer(much), ec);

  odds late = s.told;
  late.deliver = 0;
  s.kernel->set_odds(late); // the result is there and nobody knows
  std::vector<error_code> results;
  socket.async_write_some(asio::buffer(much), [&](error_code e, std::size_t) { results.push_back(e); });
  s.context.poll();
  socket.cancel();
  s.kernel->set_odds(s.told);
  s.context.run();

  BOOST_REQUIRE_EQUAL(results.size(), 1u);
  BOOST_CHECK_EQUAL(results[0], error_code(asio::error::operation_aborted));
}

BOOST_AUTO_TEST_CASE(an_accept_that_was_interrupted_and_cancelled_meanwhile_is_aborted)
{
  scene s(path::completion);
  protocol::acceptor acceptor(
      s.context, protocol::endpoint(std::string(1, '\0') + "asio_uring.scene." + std::to_string(::getpid())));
  odds late = s.told;
  late.deliver = 0;
  late.interrupted = 1000;
  s.kernel->set_odds(late);
  std::vector<error_code> results;
  acceptor.async_accept([&](error_code e, auto) { results.push_back(e); });
  s.context.poll();
  acceptor.cancel();
  s.kernel->set_odds(s.told);
  s.context.run();

  BOOST_REQUIRE_EQUAL(results.size(), 1u);
  BOOST_CHECK_EQUAL(results[0], error_code(asio::error::operation_aborted));
}

BOOST_AUTO_TEST_CASE(an_event_that_overtakes_the_result_it_follows_is_not_lost)
{
  for (std::uint64_t seed = 1; seed <= 16; ++seed) {
    scene s(path::completion, 8, seed); // which comes first depends on the seed
    socket_type& socket = *s.pairs[0].first;
    socket.native_non_blocking(true);
    odds late = s.told;
    late.deliver = 0;
    std::size_t got = 0;
    for (int i = 1; i <= 4; ++i) { // from the second time on the poll stands
      char c;
      s.kernel->set_odds(late);
      socket.async_read_some(asio::buffer(&c, 1), [&](error_code, std::size_t n) { got += n; });
      s.context.restart();
      s.context.poll(); // the kernel has found nothing, which nobody knows
      asio::write(*s.pairs[0].second, asio::buffer("x", 1));
      s.kernel->set_odds(s.told);
      s.context.run();
      BOOST_REQUIRE_EQUAL(got, static_cast<std::size_t>(i));
    }
  }
}

BOOST_AUTO_TEST_CASE(close_leaves_no_entry_for_the_number_behind_when_the_kernel_refuses_for_a_moment)
{
  for (const path p : {path::completion, path::readiness}) {
    scene s(p);
    std::array<char, 4> old{}, fresh{};
    int number = -1;
    asio::post(s.context, [&] {
      socket_type& socket = *s.pairs[0].first;
      number = socket.native_handle();
      socket.async_read_some(asio::buffer(old), [](error_code, std::size_t) {});
      s.kernel->refuse(3);
      socket.close();
      // The number is another connection's now; the old read must not get its bytes.
      socket_type& next = s.pairs[0].first.emplace(s.context);
      socket_type peer(s.context);
      asio_uring::local::connect_pair(next, peer);
      asio::write(peer, asio::buffer("mine", 4));
    });
    s.context.run();
    BOOST_CHECK_EQUAL(s.pairs[0].first->native_handle(), number);
    BOOST_CHECK_EQUAL(asio::read(*s.pairs[0].first, asio::buffer(fresh)), 4u);
  }
}

BOOST_AUTO_TEST_CASE(the_context_ends_though_the_cancels_find_no_room_behind_idle_reads)
{
  unsigned destroyed = 0;
  struct count
  {
    unsigned& n;
    bool live = true;
    explicit count(unsigned& n) : n(n) {}
    count(count&& other) noexcept : n(other.n), live(std::exchange(other.live, false)) {}
    ~count() { n += live; }
    void operator()(error_code, std::size_t) {}
  };
  std::array<char, 4> data[2];
  {
    scene s(path::completion, 2);
    s.context.poll();
    s.context.restart();
    asio::post(s.context, [&] {
      for (int i = 0; i < 2; ++i) // fill the ring
        s.pairs[i].first->async_read_some(asio::buffer(data[i]), count(destroyed));
      s.context.stop();
    });
    s.context.run();
    // The sockets live on while the context ends.
    for (auto& [a, b] : s.pairs)
      asio::post(s.context, [a = std::move(*a), b = std::move(*b)] {});
    for (auto& [a, b] : s.pairs) {
      a.reset();
      b.reset();
    }
  }
  BOOST_CHECK_EQUAL(destroyed, 2u);
}

BOOST_AUTO_TEST_CASE(a_kernel_that_refuses_the_ring_is_replaced_or_told)
{
  for (const int error : {EPERM, ENOSYS, ENOMEM}) {
    asio_uring::options o;
    o.kernel = [error]() -> std::unique_ptr<asio_uring::emulated_kernel> {
      throw std::system_error(error, std::system_category(), "io_uring_setup");
    };
    asio::io_context context;
    asio_uring::use_io_uring(context, o);
    BOOST_CHECK(!asio_uring::backend(context).io_uring && !asio_uring::backend(context).reason.empty());

    o.fallback = asio_uring::fallback::forbid;
    asio::io_context other;
    BOOST_CHECK_EXCEPTION(
        asio_uring::use_io_uring(other, o), boost::system::system_error,
        [&](const auto& e) { return e.code() == error_code(error, boost::system::system_category()); });
  }
}

BOOST_AUTO_TEST_CASE(a_forked_child_has_a_kernel_of_its_own)
{
  scene s(path::completion);
  std::array<char, 4> data{};
  std::size_t got = 0;
  s.pairs[0].first->async_read_some(asio::buffer(data), [&](error_code, std::size_t n) { got = n; });
  s.context.poll();
  s.context.notify_fork(asio::execution_context::fork_prepare);
  const pid_t child = ::fork();
  if (child == 0) {
    s.context.notify_fork(asio::execution_context::fork_child);
    asio::write(*s.pairs[0].second, asio::buffer("ping", 4));
    s.context.run();
    ::_exit(got == 4 && s.kernels == 2 ? 0 : 1);
  }
  s.context.notify_fork(asio::execution_context::fork_parent);
  int status = -1;
  ::waitpid(child, &status, 0);
  BOOST_CHECK_EQUAL(status, 0);
  s.pairs[0].first->close();
  s.context.run();
}

BOOST_AUTO_TEST_SUITE_END()
