// test/properties/world.ipp
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_PROPERTIES_WORLD_IPP
#define ASIO_URING_TEST_PROPERTIES_WORLD_IPP

inline void world::set_up()
{
  // Without locks, a bound ring moves from thread to thread and never gets a keeper.
  switch (habits_.bound ? 2 : random_.below(3)) {
  case 0:
    context_.emplace();
    break;
  case 1:
    context_.emplace(1);
    break;
  default:
    settings_.threads && !habits_.bound ? context_.emplace()
                                        : context_.emplace(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE);
  }
  sleep_.emplace();
  asio_uring::options o = habits_.ring;
  o.kernel = [this]() -> std::unique_ptr<asio_uring::emulated_kernel> {
    if (broken_) throw std::system_error(EPERM, std::system_category(), "io_uring_setup");
    auto k = std::make_unique<simulated_kernel>(habits_.ring.entries, habits_.completions, random_, *this,
                                                habits_.kernel, habits_.bound);
    kernel_ = k.get();
    return k;
  };
  if (guest()) asio::use_service<asio::detail::reactor>(*context_);
  asio_uring::use_io_uring(*context_, o);
  strand_.emplace(asio::make_strand(*context_));
  if (settings_.threads) other_thread_.emplace();
}

/// Runs the program until its steps are used up. Then all operations end by themselves, or the context is
/// destroyed as it is.
inline void world::run()
{
  while (goes_on()) {
    if (!random_.chance(550))
      turn();
    else if (other_thread_ && random_.chance(100))
      other_thread_->run([this] { act(); });
    else
      act();
    check_graves(64);
  }
  ending_ = true;
  if (random_.chance(750)) drain();
  tear_down();
  ++total.programs;
  total.steps += step_;
  total.operations += operations_.size();
}

// --- the program

inline void world::act()
{
  ++step_;
  fruitless_ = 0;
  if (random_.chance(20)) return cancel_by_slot();
  if (habits_.forks && random_.chance(5)) return fork();
  if (habits_.breaks_down && random_.chance(5)) return break_down();
  if (habits_.changes_strategy && random_.chance(30)) return change_strategy();
  turns_[random_.below(turns_.size())]->act();
}

inline void world::act_in_handler()
{
  if (goes_on() && !ending_)
    for (std::size_t n = random_.below(3); n > 0; --n)
      act();
}

inline void world::cancel_by_slot()
{
  for (int tries = 0; tries < 8; ++tries) {
    const std::size_t back = 1 + random_.below(32);
    if (back > operations_.size()) continue;
    operation& o = *operations_[operations_.size() - back];
    if (!o.slot || o.ended()) continue;
    o.asked = o.asked_alone = true;
    static constexpr asio::cancellation_type types[] = {
        asio::cancellation_type::terminal, asio::cancellation_type::partial, asio::cancellation_type::total};
    return o.signal.emit(types[random_.below(3)]);
  }
}

/// Forks, with the same process as the child: nothing that the parent's ring has performed may be done again.
inline void world::fork()
{
  if (broken_) return;
  context_->notify_fork(asio::execution_context::fork_prepare);
  if (random_.chance(300)) return context_->notify_fork(asio::execution_context::fork_parent);
  kernel_->leave_to_parent();
  context_->notify_fork(asio::execution_context::fork_child);
}

inline void world::change_strategy()
{
  using namespace asio_uring::detail;
  asio::use_service<ring_service>(*context_).paths().use(static_cast<strategy>(random_.below(strategies)));
}

inline void world::break_down()
{
  if (std::exchange(broken_, true)) return;
  sleep_.reset(); // the ring that replaces it runs in real time
  kernel_->break_down(random_.chance(500) ? EPERM : EBADF);
  context_->stop();
}

// --- the loop

inline void world::turn()
{
  ++step_;
  fruitless_ = 0;
  if (context_->stopped() && random_.chance(900)) context_->restart();
  if (!broken_ && random_.chance(100)) kernel_->interrupt();
  if (!broken_ && guest() && random_.chance(800)) kernel_->signal();
  if (other_thread_ && random_.chance(50))
    std::thread([this] {
      turn_in_some_way();
      if (!broken_) kernel_->thread_ends();
    }).join();
  else if (other_thread_ && random_.chance(50))
    other_thread_->run([this] { turn_in_some_way(); });
  else
    turn_in_some_way();
  if (random_.chance(20)) context_->stop();
}

inline void world::turn_in_some_way()
{
  // No simulated kernel waits, so time must be advanced here.
  if (broken_) simulated_clock::time += std::chrono::milliseconds(1);
  switch (random_.below(guest() || broken_ ? 2 : 7)) {
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
}

inline void world::others_go_on()
{
  for (const auto& a : actors_)
    a->others_go_on();
}

inline void world::asleep()
{
  fruitless_ = 0;
  for (const auto& a : actors_)
    a->check_sleep();
  if (deadlines_ > 0) fail("the loop sleeps for ever, though operations have deadlines");
  bool happened = false;
  for (const auto& a : actors_)
    happened |= a->others_wake();
  if (happened && (ending_ || random_.chance(500))) return;
  if (ending_) {
    for (const auto& o : operations_)
      if (!o->ended()) fail_on(*o, "it never ends: the loop sleeps for ever");
    fail("the loop sleeps for ever, though nothing is outstanding");
  }
  context_->stop();
}

// --- what comes back

inline void world::completed(operation& o, error_code ec, std::size_t n)
{
  fruitless_ = 0;
  if (o.calls++ || o.destroyed) fail_on(o, "it completed twice");
  if (destroying_) fail_on(o, "its handler was called by the context's destructor");
  if (o.deadline) --deadlines_;
  if (ec == asio::error::timed_out) {
    claim_on(o, o.deadline && *o.deadline <= simulated_clock::time, "it timed out, but not by its deadline");
    o.asked = true;
    ec = asio::error::operation_aborted;
  }
  if (ec == asio::error::operation_aborted) {
    claim_on(o, o.asked || o.what == kind::chain, "cancelled, though nobody asked");
    if (n != 0) fail_on(o, "cancelled, with bytes");
  }
  if (n > o.data.size()) fail_on(o, "it reports more bytes than it has");
  ++depth_;
  o.owner.completed(o, ec, n);
  bury(o);
  act_in_handler();
  --depth_;
}

inline void world::destroyed(operation& o)
{
  fruitless_ = 0;
  if (o.destroyed++ || o.calls) fail_on(o, "destroyed twice");
  if (!destroying_) fail_on(o, "its handler was destroyed while the context lives");
  if (o.deadline) --deadlines_;
  o.owner.destroyed(o);
  bury(o);
}

/// Frees the buffer or fills it with a pattern: it must not be touched from now on.
inline void world::bury(operation& o)
{
  if (o.data.empty()) return;
  std::fill(o.data.begin(), o.data.end(), poison);
  if (random_.chance(500))
    std::vector<unsigned char>().swap(o.data);
  else
    graves_.push_back(&o);
}
inline void world::check_graves(std::size_t keep)
{
  for (; graves_.size() > keep; graves_.pop_front()) {
    operation& o = *graves_.front();
    if (std::any_of(o.data.begin(), o.data.end(), [](unsigned char c) { return c != poison; }))
      fail_on(o, "its buffer was written to after it had ended");
    std::vector<unsigned char>().swap(o.data);
  }
}

// --- end

inline void world::drain()
{
  for (const auto& a : actors_)
    a->drain();
  draining_ = true;
  run_out();
  for (const auto& o : operations_)
    if (o->calls != 1) fail_on(*o, "run() returned before it had ended");
  if (broken_) return;
  for (const auto& a : actors_)
    a->check_drained();
}

inline void world::run_out()
{
  context_->restart();
  if (!guest() && !broken_) {
    context_->run();
    return;
  }
  for (int rounds = 0; rounds < 2000; ++rounds) {
    if (!broken_) kernel_->signal();
    simulated_clock::time += std::chrono::milliseconds(1);
    for (const auto& a : actors_)
      a->others_wake();
    if (broken_ && rounds > 100) std::this_thread::sleep_for(std::chrono::microseconds(200)); // time is real
    context_->poll();
    if (context_->stopped()) return;
  }
  if (!broken_)
    for (const auto& a : actors_)
      a->check_sleep();
  for (const auto& o : operations_)
    if (!o->ended()) fail_on(*o, "it never ends");
  fail("run() does not return, though nothing is outstanding");
}

inline void world::tear_down()
{
  destroying_ = true;
  for (const auto& o : operations_)
    if (o->what != kind::accept_into && !o->calls) o->asked = true;
  for (const auto& a : actors_)
    a->tear_down();
  for (const auto& o : operations_)
    o->own.reset();
  strand_.reset();
  context_.reset();
  kernel_ = nullptr;
  other_thread_.reset();
  for (const auto& o : operations_)
    if (o->calls + o->destroyed != 1) fail_on(*o, o->ended() ? "it ended twice" : "it never ended");
  for (const auto& a : actors_)
    a->check_end();
  check_graves(0);
  if (record_blocks_ != 0) fail("a record was not freed");
}

#endif // ASIO_URING_TEST_PROPERTIES_WORLD_IPP
