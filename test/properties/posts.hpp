// test/properties/posts.hpp: functions that are posted, and timers.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_PROPERTIES_POSTS_HPP
#define ASIO_URING_TEST_PROPERTIES_POSTS_HPP

#include "world.hpp"

class posts final : public actor
{
public:
  using actor::actor;

  void act() override { world_.chance(800) || world_.guest() ? post() : start_timer(); }

  void completed(operation& o, error_code ec, std::size_t) override
  {
    timed_.erase(&o);
    if (ec && ec != asio::error::operation_aborted) world_.fail_on(o, "an error that no timer has", ec);
  }

  void drain() override { tear_down(); }
  void tear_down() override
  {
    ask(timed_);
    timers_.clear();
  }

private:
  using timer = asio::basic_waitable_timer<simulated_clock>;

  void post()
  {
    world_.start(world_.make(*this, kind::post), nullptr, world_.chance(100), [&](auto&& h) {
      world_.chance(500) ? asio::post(world_.context(), std::move(h))
                         : asio::defer(world_.context(), std::move(h));
    });
  }

  void start_timer()
  {
    if (timers_.size() < 4) timers_.push_back(std::make_unique<timer>(world_.context()));
    timer& t = *timers_[world_.below(timers_.size())];
    ask(timed_);
    t.expires_after(std::chrono::milliseconds(world_.below(60)));
    operation& o = world_.make(*this, kind::timer);
    timed_.insert(&o);
    world_.start(o, nullptr, world_.chance(100), [&](auto&& h) { t.async_wait(std::move(h)); });
  }

  std::vector<std::unique_ptr<timer>> timers_;
  operations timed_;
};

#endif // ASIO_URING_TEST_PROPERTIES_POSTS_HPP
