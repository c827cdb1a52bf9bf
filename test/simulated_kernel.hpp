// test/simulated_kernel.hpp: a kernel behind the ring that does whatever a kernel may do, as a seed tells it.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_SIMULATED_KERNEL_HPP
#define ASIO_URING_TEST_SIMULATED_KERNEL_HPP

#include <algorithm>
#include <asio_uring/ring/emulated_kernel.hpp>
#include <asio_uring/ring/perform.hpp>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <fcntl.h>
#include <list>
#include <map>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>
#include <utility>
#include <vector>

/// The one source of all decisions (splitmix64): the same on every machine.
class generator
{
public:
  explicit generator(std::uint64_t seed) noexcept : state_(seed * 0x9e3779b97f4a7c15 + 1) {}
  std::uint64_t next() noexcept
  {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  /// From 0 to limit - 1.
  std::size_t below(std::size_t limit) noexcept { return static_cast<std::size_t>(next() % limit); }
  bool chance(unsigned per_mille) noexcept { return below(1000) < per_mille; }

private:
  std::uint64_t state_;
};

/// Time passes when the loop sleeps, and a little whenever somebody looks.
struct simulated_clock
{
  using duration = std::chrono::nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<simulated_clock>;
  static constexpr bool is_steady = true;

  static time_point now() noexcept { return time += std::chrono::microseconds(1); }
  inline static time_point time{std::chrono::hours(1)};
};

/// What goes on outside of the program under test.
class environment
{
public:
  /// Called whenever the kernel is entered: other processes may have done something meanwhile.
  virtual void others_go_on() = 0;
  /// The loop sleeps, and nothing that it waits for will come by itself.
  virtual void asleep() = 0;
  /// What no kernel can be asked for.
  [[noreturn]] virtual void fail(const char* what) = 0;

protected:
  ~environment() = default;
};

/// How often what happens, per mille.
struct odds
{
  unsigned refuse = 20;        ///< an enter takes nothing: EAGAIN, EBUSY
  unsigned partial = 60;       ///< an enter takes only some entries
  unsigned interrupt = 30;     ///< a wait ends with EINTR
  unsigned at_once = 500;      ///< a request is looked at when it is taken
  unsigned go_on = 400;        ///< a request is looked at in a round
  unsigned deliver = 500;      ///< a result is delivered in a round
  unsigned shorten = 300;      ///< a transfer is cut short
  unsigned no_memory = 8;      ///< ENOBUFS, ENOMEM
  unsigned interrupted = 60;   ///< EINTR; ECONNABORTED where sockets are accepted
  unsigned thread_exits = 8;   ///< ECANCELED though nobody asked
  unsigned poll_ends = 60;     ///< a multishot poll ends with an event
  unsigned spurious = 20;      ///< an event without a cause
  unsigned cancel_loses = 300; ///< a request is looked at once more before it is cancelled
  unsigned cancel_later = 100; ///< EALREADY: it ends some time
};

/// Single-threaded. The calls are real ones that do not block, on descriptors of its own for the same files,
/// as the kernel keeps a file for each request; when, how much, in which order and with which errors is
/// drawn.
/**
 * Whatever is drawn is legal: a result is only invented where the call has not been made, a transfer is only
 * shortened before it is made, no edge is lost (EPOLLET tells them), results of one request keep their order.
 */
class simulated_kernel final : public asio_uring::emulated_kernel
{
public:
  simulated_kernel(unsigned entries, unsigned completions, generator& random, environment& outside,
                   const odds& o = {})
      : emulated_kernel(entries, completions), random_(random), outside_(outside), odds_(o)
  {
    features_.kernel |= IORING_FEAT_RSRC_TAGS; // multishot poll
    for (const unsigned op :
         {IORING_OP_RECV, IORING_OP_SEND, IORING_OP_RECVMSG, IORING_OP_SENDMSG, IORING_OP_ACCEPT,
          IORING_OP_CONNECT, IORING_OP_POLL_ADD, IORING_OP_TIMEOUT, IORING_OP_ASYNC_CANCEL})
      features_.opcodes[op] = true;
  }
  ~simulated_kernel() override
  {
    while (!requests_.empty())
      erase(requests_.begin());
    if (fd_ >= 0) ::close(fd_);
  }

  int enter(unsigned wait, const __kernel_timespec* timeout) noexcept override
  {
    if (refusals_ > 0 || random_.chance(odds_.refuse)) {
      refusals_ = refusals_ > 0 ? refusals_ - 1 : random_.below(4);
      return random_.chance(500) ? -EAGAIN : -EBUSY;
    }
    // A kernel that takes only some does not wait.
    const bool partial = random_.chance(odds_.partial);
    const unsigned most = partial ? static_cast<unsigned>(random_.below(3)) : ~0u;
    const unsigned taken = take_entries([&](const io_uring_sqe& entry) { take(entry); }, most);
    deliver();
    outside_.others_go_on();
    round(odds_.go_on, odds_.deliver);
    if (wait > 0 && taken < most) {
      const int error = sleep(wait, timeout);
      if (error && !taken) return leave(error);
    }
    return leave(static_cast<int>(taken));
  }

  int fd() noexcept override
  {
    if (fd_ < 0) fd_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return fd_;
  }

  /// Something may have happened: whoever watches the ring looks.
  void signal() noexcept
  {
    if (fd_ < 0) return;
    want_enter(true);
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(fd_, &one, sizeof(one));
  }
  /// Completions come though nobody enters.
  void interrupt()
  {
    round(odds_.go_on, odds_.deliver);
    leave(0);
  }

  /// For a person who looks into a failure: what is in flight.
  void describe() const
  {
    for (const request& r : requests_)
      std::fprintf(stderr, "in flight: opcode %u, fd %d, %s, user_data %llx\n", r.entry.opcode, r.file,
                   multishot(r) ? "multishot" : "one shot",
                   static_cast<unsigned long long>(r.entry.user_data));
  }
  /// Requests that are not yet done.
  std::size_t in_flight() const noexcept { return requests_.size(); }
  std::size_t undelivered() const noexcept { return finished_.size(); }
  /// The next enters take nothing.
  void refuse(std::size_t times) noexcept { refusals_ = times; }
  void set_odds(const odds& o) noexcept { odds_ = o; }

private:
  struct request
  {
    io_uring_sqe entry;
    int file = -1;     // the same file
    int edges = -1;    // an epoll set that tells them
    bool edge = false; // not yet reported
    bool cancelled = false;
    simulated_clock::time_point time{};
  };
  using iterator = std::list<request>::iterator;
  struct result
  {
    std::uint64_t user_data;
    int value;
    unsigned flags;
  };
  static constexpr std::uint64_t unnamed = 1; // shared by all cancels

  int leave(int result)
  {
    want_enter(overflown() || random_.chance(300));
    if (fd_ >= 0) {
      std::uint64_t count;
      [[maybe_unused]] const auto drained = ::read(fd_, &count, sizeof(count));
      if (ready() || overflown() || random_.chance(300)) signal();
    }
    return result;
  }

  // --- entries

  void take(const io_uring_sqe& entry)
  {
    if (entry.opcode == IORING_OP_ASYNC_CANCEL) return finish(entry.user_data, cancel(entry.addr));
    for (const request& r : requests_)
      if (r.entry.user_data == entry.user_data) outside_.fail("two requests in flight are one record");
    for (const result& r : finished_)
      if (r.user_data == entry.user_data) outside_.fail("a record submitted before its completion came");

    request r{entry};
    if (entry.opcode == IORING_OP_TIMEOUT) {
      const auto& t = *reinterpret_cast<const __kernel_timespec*>(entry.addr);
      r.time = simulated_clock::time + std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec);
    } else {
      r.file = ::fcntl(entry.fd, F_DUPFD_CLOEXEC, 0);
      if (r.file < 0) outside_.fail("a request for a descriptor that is not open");
      r.entry.fd = r.file;
    }
    if (multishot(r)) {
      in_vain_.erase(entry.user_data);
      r.edges = ::epoll_create1(EPOLL_CLOEXEC);
      epoll_event event{entry.poll32_events | unasked | EPOLLET, {}};
      if (::epoll_ctl(r.edges, EPOLL_CTL_ADD, r.file, &event) < 0) outside_.fail("epoll_ctl");
    }
    requests_.push_back(r);
    if (random_.chance(odds_.at_once)) look(std::prev(requests_.end()));
  }

  int cancel(std::uint64_t user_data)
  {
    const auto find = [&] {
      return std::find_if(requests_.begin(), requests_.end(),
                          [&](const request& r) { return r.entry.user_data == user_data; });
    };
    auto found = find();
    if (found != requests_.end() && random_.chance(odds_.cancel_loses)) {
      look(found);
      found = find(); // a multishot poll goes on
    }
    if (found == requests_.end()) return random_.chance(500) ? -ENOENT : -EALREADY;
    if (random_.chance(odds_.cancel_later)) {
      found->cancelled = true;
      return -EALREADY;
    }
    end(found, -ECANCELED);
    return 0;
  }

  static bool multishot(const request& r) noexcept
  {
    return r.entry.opcode == IORING_OP_POLL_ADD && r.entry.len & IORING_POLL_ADD_MULTI;
  }

  // --- results

  void finish(std::uint64_t user_data, int value, unsigned flags = 0)
  {
    finished_.push_back({user_data, value, flags});
  }
  iterator erase(iterator r)
  {
    if (r->edges >= 0) ::close(r->edges);
    if (r->file >= 0) ::close(r->file);
    return requests_.erase(r);
  }
  bool end(iterator r, int value)
  {
    finish(r->entry.user_data, value);
    erase(r);
    return true;
  }

  /// Each request and each result has its chance. True if anything happened.
  bool round(unsigned go_on, unsigned deliver)
  {
    bool happened = false;
    std::vector<iterator> order;
    for (auto r = requests_.begin(); r != requests_.end(); ++r)
      order.push_back(r);
    for (std::size_t i = order.size(); i > 0; --i) {
      std::swap(order[i - 1], order[random_.below(i)]);
      if (random_.chance(go_on)) happened |= look(order[i - 1]);
    }
    for (std::size_t count = finished_.size(); count > 0; --count) {
      if (!random_.chance(deliver)) continue;
      const auto any = finished_.begin() + static_cast<std::ptrdiff_t>(random_.below(finished_.size()));
      const auto first = std::find_if(finished_.begin(), any,
                                      [&](const result& r) { return r.user_data == any->user_data; });
      const result r = *first;
      finished_.erase(first);
      post(r.user_data, r.value, r.flags);
      happened = true;
    }
    return happened;
  }

  int sleep(unsigned wait, const __kernel_timespec* timeout)
  {
    const auto limit = timeout ? simulated_clock::time + std::chrono::seconds(timeout->tv_sec) +
                                     std::chrono::nanoseconds(timeout->tv_nsec)
                               : simulated_clock::time_point::max();
    while (ready() < wait) {
      if (random_.chance(odds_.interrupt)) return -EINTR;
      if (round(odds_.go_on, odds_.deliver) || round(1000, 1000)) continue;
      if (std::any_of(requests_.begin(), requests_.end(), [](const request& r) { return r.cancelled; }))
        continue;
      auto next = limit;
      for (const request& r : requests_)
        if (r.entry.opcode == IORING_OP_TIMEOUT) next = std::min(next, r.time);
      if (next == simulated_clock::time_point::max())
        outside_.asleep();
      else {
        simulated_clock::time = std::max(simulated_clock::time, next);
        if (next == limit) return -ETIME;
      }
    }
    return 0;
  }

  // --- performing

  /// True if it has brought a result. The request may be gone then.
  bool look(iterator r)
  {
    const io_uring_sqe& entry = r->entry;
    if (entry.opcode == IORING_OP_TIMEOUT)
      return r->cancelled ? end(r, -ECANCELED) : r->time <= simulated_clock::time ? end(r, -ETIME) : false;
    if (r->cancelled && random_.chance(500)) return end(r, -ECANCELED);
    if (random_.chance(odds_.thread_exits)) return end(r, -ECANCELED);
    switch (entry.opcode) {
    case IORING_OP_POLL_ADD:
      return multishot(*r) ? look_for_edge(r) : look_for_event(r);
    case IORING_OP_ACCEPT:
      if (random_.chance(odds_.interrupted)) return end(r, random_.chance(500) ? -EINTR : -ECONNABORTED);
      if (!ready_events(*r, POLLIN)) return non_blocking(*r) && end(r, -EAGAIN);
      return end(r, asio_uring::detail::perform(entry, false));
    case IORING_OP_CONNECT:
      if (random_.chance(odds_.interrupted)) return end(r, -EINTR);
      return connect(r);
    case IORING_OP_RECV:
    case IORING_OP_SEND:
    case IORING_OP_RECVMSG:
    case IORING_OP_SENDMSG:
      return transfer(r);
    default:
      outside_.fail("an unknown operation code"), std::abort();
    }
  }

  static bool non_blocking(const request& r) noexcept
  {
    return entry_says_so(r.entry) || ::fcntl(r.file, F_GETFL) & O_NONBLOCK;
  }
  static bool entry_says_so(const io_uring_sqe& entry) noexcept
  {
    return entry.opcode != IORING_OP_ACCEPT && entry.opcode != IORING_OP_CONNECT &&
           entry.msg_flags & MSG_DONTWAIT;
  }
  static int ready_events(const request& r, unsigned events) noexcept
  {
    pollfd p{r.file, static_cast<short>(events), 0};
    return ::poll(&p, 1, 0) == 1 ? static_cast<unsigned short>(p.revents) : 0;
  }

  /// What a poll reports whether asked or not, beside POLLERR and POLLHUP, which poll(2) adds itself.
  static constexpr unsigned unasked = POLLRDHUP;

  /// One that ends at once with what nobody asked for must not be submitted as it is, again and again.
  void check_gets_on(const request& r, int events)
  {
    if (events & static_cast<int>(r.entry.poll32_events | POLLERR | POLLHUP))
      in_vain_.erase(r.entry.user_data);
    else if (++in_vain_[r.entry.user_data] == 100)
      outside_.fail("a poll that ends with what nobody asked for is armed for ever");
  }

  bool look_for_event(iterator r)
  {
    const unsigned asked = r->entry.poll32_events;
    if (random_.chance(odds_.no_memory)) return end(r, -ENOMEM);
    if (const int events = ready_events(*r, asked | unasked)) {
      check_gets_on(*r, events);
      return end(r, events);
    }
    return random_.chance(odds_.spurious) && end(r, static_cast<int>(asked & (POLLIN | POLLOUT)));
  }

  bool look_for_edge(iterator r)
  {
    epoll_event event;
    if (::epoll_wait(r->edges, &event, 1, 0) == 1) r->edge = true;
    int events = 0;
    if (std::exchange(r->edge, false)) events = ready_events(*r, r->entry.poll32_events | unasked);
    if (!events && random_.chance(odds_.spurious)) events = POLLIN;
    if (!events) return false;
    if (random_.chance(odds_.spurious)) events |= POLLERR; // an error that somebody has taken meanwhile
    if (random_.chance(odds_.poll_ends)) return end(r, events);
    finish(r->entry.user_data, events, IORING_CQE_F_MORE);
    return true;
  }

  bool connect(iterator r)
  {
    const int flags = ::fcntl(r->file, F_GETFL);
    ::fcntl(r->file, F_SETFL, flags | O_NONBLOCK);
    const int result = asio_uring::detail::perform(r->entry, false);
    ::fcntl(r->file, F_SETFL, flags);
    return result != -EAGAIN && end(r, result);
  }

  bool transfer(iterator r)
  {
    if (random_.chance(odds_.interrupted)) return end(r, -EINTR); // a thread of the kernel's was told to end
    if (random_.chance(odds_.no_memory)) return end(r, random_.chance(500) ? -ENOBUFS : -ENOMEM);
    io_uring_sqe entry = r->entry;
    msghdr message{};
    std::vector<iovec> vectors;
    if (random_.chance(odds_.shorten)) {
      if (entry.opcode == IORING_OP_RECV || entry.opcode == IORING_OP_SEND)
        entry.len = entry.len > 0 ? 1 + static_cast<unsigned>(random_.below(entry.len)) : 0;
      else {
        const auto& whole = *reinterpret_cast<const msghdr*>(entry.addr);
        std::size_t size = 0;
        for (std::size_t i = 0; i < whole.msg_iovlen; ++i)
          size += whole.msg_iov[i].iov_len;
        size = size > 0 ? 1 + random_.below(size) : 0;
        for (std::size_t i = 0; i < whole.msg_iovlen && size > 0; ++i) {
          const std::size_t part = std::min(size, whole.msg_iov[i].iov_len);
          vectors.push_back({whole.msg_iov[i].iov_base, part});
          size -= part;
        }
        message = whole;
        message.msg_iov = vectors.data();
        message.msg_iovlen = vectors.size();
        entry.addr = reinterpret_cast<std::uintptr_t>(&message);
      }
    }
    const int result = asio_uring::detail::perform(entry, false);
    return (result != -EAGAIN || non_blocking(*r)) && end(r, result);
  }

  generator& random_;
  environment& outside_;
  odds odds_;
  std::size_t refusals_ = 0;
  std::list<request> requests_;
  std::deque<result> finished_;
  std::map<std::uint64_t, unsigned> in_vain_; // one-shot polls of a request so far
  int fd_ = -1;
};

#endif // ASIO_URING_TEST_SIMULATED_KERNEL_HPP
