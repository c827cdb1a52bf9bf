// test/properties/actor.hpp: a part of a random program: a kind of object, its peers, and what must hold for
// them.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_PROPERTIES_ACTOR_HPP
#define ASIO_URING_TEST_PROPERTIES_ACTOR_HPP

#include "operation.hpp"

class actor
{
public:
  explicit actor(world& w) : world_(w) {}
  virtual ~actor() = default;
  actor(const actor&) = delete;
  actor& operator=(const actor&) = delete;

  /// Does one thing, within a handler or outside.
  virtual void act() = 0;
  /// Called when the handler of one of its operations is called.
  virtual void completed(operation& o, error_code ec, std::size_t n) = 0;
  /// Called when an operation was destroyed with the context.
  virtual void destroyed(operation&) {}

  /// Called whenever the kernel is entered: lets the peers do something, perhaps.
  virtual void others_go_on() {}
  /// Lets the peers do all that they can do. True if anything happened.
  virtual bool others_wake() { return false; }
  /// Checks that a loop that sleeps has nothing to do.
  virtual void check_sleep() {}

  /// Starts what ends all operations.
  virtual void drain() {}
  virtual void check_drained() {}
  /// Closes all objects as they are, before the context is destroyed.
  virtual void tear_down() = 0;
  /// Checks what must hold after the context was destroyed.
  virtual void check_end() {}
  /// Prints the state, for whoever looks into a failure.
  virtual void describe() const {}

protected:
  world& world_;
};

#endif // ASIO_URING_TEST_PROPERTIES_ACTOR_HPP
