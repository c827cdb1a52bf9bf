// test/properties/actor.hpp: one kind of object of a random program, with its peers and what is known of
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

  /// One thing that a program does, in a handler or outside.
  virtual void act() = 0;
  /// The handler of one of its operations was called.
  virtual void completed(operation& o, error_code ec, std::size_t n) = 0;
  /// It was destroyed with the context.
  virtual void destroyed(operation&) {}

  /// Others may do something, whenever the kernel is entered.
  virtual void others_go_on() {}
  /// Others do all that they can do. True if anything happened.
  virtual bool others_wake() { return false; }
  /// A loop that sleeps must not have anything to do.
  virtual void check_sleep() {}

  /// Starts what brings everything to its end.
  virtual void drain() {}
  virtual void check_drained() {}
  /// All objects are closed, as they are; the context goes next.
  virtual void tear_down() = 0;
  /// The context is gone.
  virtual void check_end() {}
  /// For a person who looks into a failure.
  virtual void describe() const {}

protected:
  world& world_;
};

#endif // ASIO_URING_TEST_PROPERTIES_ACTOR_HPP
