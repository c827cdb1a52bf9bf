// test/properties/world.hpp: a random program, its peers and its kernel.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_PROPERTIES_WORLD_HPP
#define ASIO_URING_TEST_PROPERTIES_WORLD_HPP

#include "../simulated_kernel.hpp"
#include "actor.hpp"
#include "habits.hpp"
#include "other_thread.hpp"
#include <asio_uring/within.hpp>
#include <deque>
#include <optional>
#include <string>
#include <system_error>
#include <thread>

/// Counts what happened, to be printed or limited.
struct totals
{
  unsigned long steps = 0, programs = 0, operations = 0;
};
inline totals total;

/// Draws what a program does, runs its loop in some way, and checks what comes back. The objects that it
/// works on are actors.
class world final : public environment
{
public:
  world(decisions& random, unsigned long steps, const settings& s, std::string repeat)
      : random_(random), limit_(steps), settings_(s), habits_(random, s), repeat_(std::move(repeat))
  {}

  /// Adds an actor, which acts in proportion to its weight.
  template <typename Actor>
  void add(unsigned weight)
  {
    actor& a = *actors_.emplace_back(std::make_unique<Actor>(*this));
    turns_.insert(turns_.end(), weight, &a);
  }

  /// Makes the context, before actors are added and the program runs.
  inline void set_up();
  inline void run();

  // --- for the actors

  decisions& random() noexcept { return random_; }
  bool chance(unsigned per_mille) noexcept { return random_.chance(per_mille); }
  std::size_t below(std::size_t limit) noexcept { return random_.below(limit); }
  asio::io_context& context() noexcept { return *context_; }
  const habits& program_habits() const noexcept { return habits_; }
  bool guest() const noexcept { return settings_.pump == asio_uring::pump_kind::guest; }
  bool ending() const noexcept { return ending_; }
  bool draining() const noexcept { return draining_; }
  /// Whether the kernel has broken down, so that what it has done is unknown.
  bool broken() const noexcept { return broken_; }
  /// Whether the kernel may refuse operations that need a kernel thread.
  bool without_workers() const noexcept { return habits_.kernel.no_worker > 0; }

  template <typename Operation = operation>
  Operation& make(actor& owner, kind k)
  {
    auto made = std::make_unique<Operation>(*this, owner, k);
    Operation& o = *made;
    operations_.push_back(std::move(made));
    o.number = operations_.size();
    o.slot = random_.chance(300);
    return o;
  }

  /// Initiates an operation with a random kind of handler, which may keep the object alive.
  template <typename Initiate>
  void start(operation& o, std::shared_ptr<void> kept, bool on_strand, Initiate&& initiate)
  {
    if (!random_.chance(200)) kept = nullptr;
    if (random_.chance(500)) {
      allocating_handler h(o, std::move(kept), record_blocks_);
      on_strand ? initiate(asio::bind_executor(*strand_, std::move(h))) : initiate(std::move(h));
    } else {
      handler h(o, std::move(kept));
      on_strand ? initiate(asio::bind_executor(*strand_, std::move(h))) : initiate(std::move(h));
    }
  }
  /// The same with a deadline.
  template <typename Initiate>
  void start_within(operation& o, std::shared_ptr<void> kept, Initiate&& initiate)
  {
    const auto most = std::chrono::microseconds(random_.below(30'000));
    o.deadline = simulated_clock::time + most;
    o.asked_alone = true; // by the deadline, sooner or later
    ++deadlines_;
    start_simply(o, std::move(kept),
                 [&](auto&& h) { initiate(asio_uring::within(most, std::forward<decltype(h)>(h))); });
  }
  /// Whether an operation should have one. Where the kernel breaks down, the ring that replaces it runs in
  /// real time.
  bool wants_deadline() noexcept { return !habits_.breaks_down && random_.chance(100); }
  /// The same with fewer kinds of handlers, for less to compile.
  template <typename Initiate>
  void start_simply(operation& o, std::shared_ptr<void> kept, Initiate&& initiate)
  {
    if (!random_.chance(200)) kept = nullptr;
    random_.chance(500) ? initiate(handler(o, std::move(kept)))
                        : initiate(allocating_handler(o, std::move(kept), record_blocks_));
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

  /// Checks that handlers are called in the order in which the operations were started: reads, writes,
  /// accepts.
  template <typename Same>
  void check_order(const operation& o, const operations& others, Same&& same)
  {
    if (o.asked_alone) return;
    for (const operation* other : others)
      if (other->number < o.number && same(other->what) && !other->calls)
        fail_on(o, "its handler was called before that of an earlier one");
  }
  /// Fails if a claim is wrong, unless the kernel has broken down.
  void claim(bool right, const char* otherwise)
  {
    if (!right && !broken_) fail(otherwise);
  }
  void claim_on(const operation& o, bool right, const char* otherwise, error_code ec = {})
  {
    if (!right && !broken_) fail_on(o, otherwise, ec);
  }
  [[noreturn]] void fail_on(const operation& o, const char* what, error_code ec = {})
  {
    const std::string text = "operation " + std::to_string(o.number) + " (" +
                             names[static_cast<unsigned>(o.what)] + "): " + what +
                             (ec ? ": " + ec.message() : "");
    fail(text.c_str());
  }
  [[noreturn]] void fail(const char* what) override
  {
    std::fprintf(stderr, "\nstep %lu: %s\nto repeat: %s\n", step_, what, repeat_.c_str());
    for (const auto& a : actors_)
      a->describe();
    if (kernel_ && !broken_) kernel_->describe();
    std::abort();
  }

  // --- for the handlers

  inline void completed(operation& o, error_code ec, std::size_t n);
  inline void destroyed(operation& o);

private:
  struct context_type : asio::io_context
  {
    using asio::io_context::io_context;
    void run_for_virtual_time(world& w)
    {
      const auto until = simulated_clock::now() + std::chrono::milliseconds(w.random_.below(50));
      w.random_.chance(500) ? run_until(until) : run_one_until(until);
    }
  };
  static constexpr unsigned char poison = 0xA5;

  bool goes_on() const noexcept { return step_ < limit_ && !random_.used_up(); }

  inline void act();
  inline void act_in_handler();
  inline void cancel_by_slot();
  inline void fork();
  inline void break_down();
  inline void change_strategy();
  inline void turn();
  inline void turn_in_some_way();

  void entered() override
  {
    if (++fruitless_ == 20'000) fail("the loop turns and gets nowhere");
  }
  inline void others_go_on() override;
  inline void asleep() override;
  bool in_handler() const override { return depth_ > 0; }

  inline void bury(operation& o);
  inline void check_graves(std::size_t keep);

  inline void drain();
  inline void run_out();
  inline void tear_down();

  decisions& random_;
  const unsigned long limit_;
  const settings settings_;
  const habits habits_;
  const std::string repeat_;
  unsigned long step_ = 0;
  unsigned long fruitless_ = 0; // enters since the program last did something, got a result, or slept
  unsigned deadlines_ = 0;      // that have not ended
  unsigned depth_ = 0;          // of handlers
  bool ending_ = false, draining_ = false, destroying_ = false, broken_ = false;
  std::vector<std::unique_ptr<operation>> operations_;
  std::deque<operation*> graves_;
  long record_blocks_ = 0;
  simulated_kernel* kernel_ = nullptr;
  std::optional<virtual_sleep> sleep_; // until the kernel breaks down
  std::optional<context_type> context_;
  std::optional<asio::strand<asio::io_context::executor_type>> strand_;
  std::optional<other_thread> other_thread_;
  std::vector<std::unique_ptr<actor>> actors_;
  std::vector<actor*> turns_;
};

inline handler::~handler()
{
  if (op_) op_->program.destroyed(*op_);
}
inline void handler::operator()(error_code ec, std::size_t n)
{
  operation& o = *std::exchange(op_, nullptr);
  o.program.completed(o, ec, n);
}

#include "world.ipp"

#endif // ASIO_URING_TEST_PROPERTIES_WORLD_HPP
