// test/simulated_kernel.hpp: an emulated kernel that does, at random, whatever a kernel may do.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_SIMULATED_KERNEL_HPP
#define ASIO_URING_TEST_SIMULATED_KERNEL_HPP

#include "simulation/buffer_queues.hpp"
#include "simulation/decisions.hpp"
#include "simulation/edges.hpp"
#include "simulation/environment.hpp"
#include "simulation/request.hpp"
#include "simulation/shortened.hpp"
#include <algorithm>
#include <asio_uring/ring/emulated_kernel.hpp>
#include <asio_uring/ring/perform.hpp>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <list>
#include <set>
#include <sys/eventfd.h>
#include <utility>
#include <vector>

/// Emulates a kernel. It makes real calls that do not block, on duplicates of the descriptors, as the kernel
/// keeps a file for each request. When, how much, in which order and with which errors is drawn. Threads
/// enter one at a time.
/**
 * Whatever is drawn is legal: a result is only invented if the call has not been made, a transfer is only
 * shortened before it is made, no edge is lost (EPOLLET reports them), and results of one request keep their
 * order. An entry's descriptor number is looked up when it starts; a linked one starts when those before it
 * have ended.
 */
class simulated_kernel final : public asio_uring::emulated_kernel
{
public:
  /// `bound`: only the thread that binds the ring may enter.
  simulated_kernel(unsigned entries, unsigned completions, decisions& random, environment& outside,
                   const odds& o = {}, bool bound = false)
      : emulated_kernel(entries, completions), random_(random), outside_(outside), odds_(o), bound_(bound)
  {
    if (bound)
      features_.setup_flags =
          IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
    features_.kernel |= IORING_FEAT_RSRC_TAGS; // multishot poll
    for (const unsigned op :
         {IORING_OP_NOP, IORING_OP_RECV, IORING_OP_SEND, IORING_OP_RECVMSG, IORING_OP_SENDMSG,
          IORING_OP_ACCEPT, IORING_OP_CONNECT, IORING_OP_POLL_ADD, IORING_OP_TIMEOUT, IORING_OP_ASYNC_CANCEL,
          IORING_OP_READ, IORING_OP_WRITE, IORING_OP_READV, IORING_OP_WRITEV, IORING_OP_FSYNC,
          IORING_OP_SPLICE, IORING_OP_SEND_ZC}) // multishot receive
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
    outside_.entered();
    simulated_clock::time += std::chrono::microseconds(20);
    if (retired_ || (bound_ && owner_ != this_thread()))
      outside_.fail("a thread enters a ring that is not its own");
    if (broken_) return -broken_;
    busy_ = ready() > 0 && outside_.in_handler() && (busy_ || random_.chance(odds_.busy));
    if (busy_) return -EBUSY;
    if (refusals_ > 0 || random_.chance(odds_.refuse)) {
      refusals_ = refusals_ > 0 ? refusals_ - 1 : random_.below(4);
      return random_.chance(500) ? -EAGAIN : -EBUSY;
    }
    // A kernel that takes only some entries does not wait.
    const bool partial = random_.chance(odds_.partial);
    const unsigned most = partial ? static_cast<unsigned>(random_.below(3)) : ~0u;
    const unsigned taken = take_some(most);
    deliver();
    outside_.others_go_on();
    round(odds_.go_on, odds_.deliver);
    if (wait > 0 && taken < most) {
      const int error = sleep(wait, timeout);
      if (error && !taken) return leave(error);
    }
    return leave(static_cast<int>(taken));
  }

  int bind() noexcept override
  {
    owner_ = this_thread();
    return 0;
  }
  void retire() noexcept override
  {
    retired_ = true;
    while (!requests_.empty()) {
      const auto first = requests_.begin();
      if (first->started && random_.chance(odds_.cancel_loses) && look(first, false)) continue;
      end(first, given_up(*first));
    }
    round(0, 1000); // results that find no room are lost
  }

  int register_buffer_queue(const io_uring_buf_reg& queue) noexcept override
  {
    if (random_.chance(odds_.no_queue)) return -EINVAL;
    queues_.add(queue);
    return 0;
  }

  int fd() noexcept override
  {
    if (fd_ < 0) fd_ = own_number(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    return fd_;
  }

  /// Makes fd() readable: something may have happened.
  void signal() noexcept
  {
    if (fd_ < 0) return;
    want_enter(true);
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(fd_, &one, sizeof(one));
  }
  /// Posts completions without an enter.
  void interrupt()
  {
    if (broken_ || bound_) return;
    round(odds_.go_on, odds_.deliver);
    leave(0);
  }
  /// Has the next enters take nothing.
  void refuse(std::size_t times) noexcept { refusals_ = times; }
  /// Has every enter fail from now on. What is in flight goes on, and those who watch the ring are told to
  /// enter.
  void break_down(int error) noexcept
  {
    broken_ = error;
    want_enter(true);
    signal();
  }
  /// Notes that the calling thread ends: its requests are given up when their events arrive.
  void thread_ends() { ended_threads_.insert(this_thread()); }
  /// Leaves the ring to the parent of a forked child, whose kernel performs what it can of what is in flight.
  void leave_to_parent()
  {
    for (const request& r : requests_)
      if (r.started && r.moves_data_out()) asio_uring::detail::perform(r.entry, false);
    while (!requests_.empty())
      erase(requests_.begin());
  }
  void set_odds(const odds& o) noexcept { odds_ = o; }

  /// Prints what is in flight, for whoever looks into a failure.
  void describe() const
  {
    for (const request& r : requests_)
      std::fprintf(stderr, "in flight: opcode %u, fd %d, %s, user_data %llx\n", r.entry.opcode, r.file,
                   r.is_multishot() ? "multishot" : "one shot",
                   static_cast<unsigned long long>(r.entry.user_data));
  }
  /// Requests that have not ended.
  std::size_t in_flight() const noexcept { return requests_.size(); }
  std::size_t undelivered() const noexcept { return finished_.size(); }

private:
  using iterator = std::list<request>::iterator;
  struct result
  {
    std::uint64_t user_data;
    int value;
    unsigned flags;
  };

  int leave(int result)
  {
    const bool works = overflown() || (bound_ && has_work());
    flag_stays_ = !works && (flag_stays_ || random_.chance(odds_.flag_stays));
    want_enter(works || flag_stays_);
    if (fd_ >= 0) {
      std::uint64_t count;
      [[maybe_unused]] const auto drained = ::read(fd_, &count, sizeof(count));
      if (ready() || overflown() || random_.chance(300)) signal();
    }
    return result;
  }

  /// Whether there is work that the kernel does for a bound ring at the next enter.
  bool has_work() const noexcept
  {
    return !finished_.empty() ||
           std::any_of(requests_.begin(), requests_.end(), [](const request& r) { return r.cancelled; });
  }

  static unsigned this_thread() noexcept
  {
    static std::atomic<unsigned> last{0};
    thread_local const unsigned number = ++last;
    return number;
  }

  // --- entries

  /// Takes entries; linked ones are taken together.
  unsigned take_some(unsigned most)
  {
    unsigned taken = 0;
    while ((taken < most || !chain_.empty()) &&
           take_entries([&](const io_uring_sqe& entry) { take(entry); }, 1))
      ++taken;
    if (!chain_.empty()) start_chain(); // a chain ends where a submission ends
    return taken;
  }

  void take(const io_uring_sqe& entry)
  {
    if (entry.opcode == IORING_OP_ASYNC_CANCEL)
      return finish(entry.user_data,
                    entry.cancel_flags & IORING_ASYNC_CANCEL_ANY ? cancel_any() : cancel(entry.addr));
    if (entry.opcode == IORING_OP_CLOSE)
      return finish(entry.user_data, asio_uring::detail::perform(entry, false));
    for (const request& r : requests_)
      if (r.entry.user_data == entry.user_data) outside_.fail("two requests in flight are one record");
    for (const result& r : finished_)
      if (r.user_data == entry.user_data) outside_.fail("a record submitted before its completion came");

    chain_.push_back(entry);
    if (!(entry.flags & (IOSQE_IO_LINK | IOSQE_IO_HARDLINK))) start_chain();
  }
  void start_chain()
  {
    edges_.outdate();
    requests_.emplace_back(chain_.front());
    if (chain_.size() > 1) requests_.back().behind.assign(chain_.begin() + 1, chain_.end());
    chain_.clear();
    start(std::prev(requests_.end()));
  }

  void start(iterator r)
  {
    r->thread = this_thread();
    r->started = true;
    if (r->entry.opcode == IORING_OP_TIMEOUT) {
      const auto& t = *reinterpret_cast<const __kernel_timespec*>(r->entry.addr);
      r->time = simulated_clock::time + std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec);
    } else if (r->entry.opcode != IORING_OP_NOP && !r->look_up())
      outside_.fail("a descriptor number is free, and an entry that names it is looked up");
    if (r->is_multishot_poll()) edges_.add(*r);
    if (random_.chance(odds_.at_once)) look(r, false);
  }

  int cancel(std::uint64_t user_data)
  {
    edges_.outdate();
    const auto find = [&] {
      return std::find_if(requests_.begin(), requests_.end(),
                          [&](const request& r) { return r.entry.user_data == user_data && r.started; });
    };
    auto found = find();
    if (found != requests_.end() && random_.chance(odds_.cancel_loses)) {
      look(found, false);
      found = find(); // it may be gone; a multishot poll goes on
    }
    if (found == requests_.end()) return random_.chance(500) ? -ENOENT : -EALREADY;
    if (random_.chance(odds_.cancel_later)) {
      found->cancelled = true;
      return -EALREADY;
    }
    end(found, given_up(*found));
    return 0;
  }

  int cancel_any()
  {
    std::vector<std::uint64_t> all;
    for (const request& r : requests_)
      if (r.started) all.push_back(r.entry.user_data);
    return static_cast<int>(
        std::count_if(all.begin(), all.end(), [&](std::uint64_t data) { return cancel(data) == 0; }));
  }

  // --- results

  void finish(std::uint64_t user_data, int value, unsigned flags = 0)
  {
    finished_.push_back({user_data, value, flags});
  }
  iterator erase(iterator r)
  {
    if (r->is_multishot_poll() && r->file >= 0) edges_.remove(*r);
    r->let_go();
    return requests_.erase(r);
  }
  bool end(iterator r, int value, unsigned flags = 0)
  {
    const bool more_there = value > 0 && r->is_socket_transfer() && random_.chance(odds_.flags);
    finish(r->entry.user_data, value, flags | (more_there ? 1U << 2 : 0)); // IORING_CQE_F_SOCK_NONEMPTY
    if (!r->behind.empty()) start_next(*r, value);
    erase(r);
    return true;
  }
  /// Queues the request linked behind to be started, or gives up the rest of the chain.
  void start_next(request& r, int value)
  {
    if ((r.entry.flags & IOSQE_IO_HARDLINK) || r.succeeded(value)) {
      request& next = requests_.emplace_back(r.behind.front());
      next.behind.assign(r.behind.begin() + 1, r.behind.end());
    } else
      for (const io_uring_sqe& entry : r.behind)
        finish(entry.user_data, -ECANCELED);
  }

  /// Gives each request and each result a chance. True if anything happened.
  bool round(unsigned go_on, unsigned deliver)
  {
    bool happened = false;
    edges_.outdate();
    order_.clear();
    for (auto r = requests_.begin(); r != requests_.end(); ++r)
      order_.push_back(r);
    for (std::size_t i = order_.size(); i > 0; --i) {
      std::swap(order_[i - 1], order_[random_.below(i)]);
      if (random_.chance(go_on)) happened |= look(order_[i - 1], go_on == 1000);
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

  inline bool look(iterator r, bool certain);
  inline int given_up(const request& r);
  inline bool worker();
  inline unsigned with_unasked(unsigned events);
  inline bool look_for_event(iterator r);
  inline bool look_for_edge(iterator r);
  inline bool accept(iterator r);
  inline bool connect(iterator r);
  inline bool transfer(iterator r);
  inline bool receive_into_chosen(iterator r);
  inline int perform_partly(request& r);
  inline bool splice(iterator r);

  decisions& random_;
  environment& outside_;
  odds odds_;
  const bool bound_;
  bool retired_ = false;
  unsigned owner_ = 0;
  std::size_t refusals_ = 0;
  bool busy_ = false;
  int broken_ = 0;
  int without_worker_ = 0;
  bool flag_stays_ = false;         // until there is work again
  std::vector<io_uring_sqe> chain_; // being taken
  std::list<request> requests_;
  std::vector<iterator> order_;
  std::deque<result> finished_;
  std::set<unsigned> ended_threads_;
  polled_edges edges_;
  buffer_queues queues_;
  int fd_ = -1;
};

#include "simulation/performing.ipp"

#endif // ASIO_URING_TEST_SIMULATED_KERNEL_HPP
