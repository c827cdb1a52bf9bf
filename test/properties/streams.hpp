// test/properties/streams.hpp: stream sockets: reads, writes, waits, cancellations, closes and moves.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_PROPERTIES_STREAMS_HPP
#define ASIO_URING_TEST_PROPERTIES_STREAMS_HPP

#include "held_buffers.hpp"
#include "stream.hpp"
#include "world.hpp"
#include <poll.h>

class streams final : public actor
{
public:
  explicit streams(world& w) : actor(w)
  {
    for (std::size_t i = 2 + world_.below(4); i > 0; --i)
      add_connection();
  }

  void act() override
  {
    stream_end* e = any_end();
    if (!e) {
      if (connections_.size() < 12 || retire()) add_connection();
      return;
    }
    const std::size_t choice = world_.below(100);
    if (choice < 28)
      read(*e);
    else if (choice >= 98)
      end_ahead(*e);
    else if (choice >= 90)
      held_.give_back();
    else if (choice >= 78)
      next(*e);
    else if (choice < 56)
      write(*e);
    else if (choice < 61)
      wait(*e);
    else if (choice < 65)
      cancel(*e);
    else if (choice < 67)
      close(*e);
    else if (choice < 71)
      move(*e);
    else if (choice < 72)
      shut(*e);
    else if (choice < 76)
      read_now(*e);
    else
      write_now(*e);
  }

  inline void completed(operation& o, error_code ec, std::size_t n) override;
  void destroyed(operation& o) override
  {
    if (o.what == kind::write) end_of(o).out->unknown = true;
  }

  inline void others_go_on() override;
  inline bool others_wake() override;
  inline void check_sleep() override;
  inline void drain() override;
  inline void check_drained() override;
  inline void tear_down() override;
  void check_end() override
  {
    for (const auto& c : connections_)
      check_end(*c);
    held_.check_end();
  }
  inline void describe() const override;

private:
  struct stream_operation : operation
  {
    using operation::operation;
    stream_end* where = nullptr;
    asio::socket_base::wait_type wait{};
    std::size_t moved = 0; // bytes sent and received before it was started
    bool alone = false;    // nothing was in flight that could change what it waits for
  };
  static stream_end& end_of(operation& o) { return *static_cast<stream_operation&>(o).where; }

  stream_operation& make(kind k, stream_end& e)
  {
    auto& o = world_.make<stream_operation>(*this, k);
    o.where = &e;
    e.ops.insert(&o);
    return o;
  }
  template <typename Initiate>
  void start(stream_operation& o, Initiate&& initiate)
  {
    world_.start(o, o.where->socket, o.where->on_strand, initiate);
  }
  template <typename Initiate>
  void start_within(stream_operation& o, Initiate&& initiate)
  {
    world_.start_within(o, o.where->socket, initiate);
  }

  inline void add_connection();
  stream_end* any_end()
  {
    if (connections_.empty()) return nullptr;
    stream_end& e = connections_[world_.below(connections_.size())]->ends[world_.below(2)];
    return e.open() ? &e : nullptr;
  }

  inline void read(stream_end& e);
  inline void next(stream_end& e);
  inline void end_ahead(stream_end& e);
  inline void write(stream_end& e);
  inline void wait(stream_end& e);
  inline void close(stream_end& e);
  inline void move(stream_end& e);
  inline void shut(stream_end& e);
  inline void read_now(stream_end& e);
  inline void write_now(stream_end& e);
  inline void read_on(stream_end& e);
  void cancel(stream_end& e)
  {
    ask(e.ops);
    e.socket->cancel();
    if (world_.chance(500)) read_now(e);
  }

  void received(stream_end& e, const unsigned char* data, std::size_t n)
  {
    e.in->received.insert(e.in->received.end(), data, data + n);
    world_.claim(e.in->consistent(), lost);
  }
  void sent(stream_end& e, const unsigned char* data, std::size_t n)
  {
    e.out->sent.insert(e.out->sent.end(), data, data + n);
    world_.claim(e.out->consistent(), lost);
  }
  static constexpr const char* lost = "a stream's bytes are lost, doubled or out of order";

  static int ready(const stream_end& e, unsigned events)
  {
    pollfd p{e.number, static_cast<short>(events), 0};
    return ::poll(&p, 1, 0) == 1 ? p.revents : 0;
  }
  static short events_of(asio::socket_base::wait_type w)
  {
    return w == asio::socket_base::wait_read    ? POLLIN
           : w == asio::socket_base::wait_write ? POLLOUT
                                                : POLLPRI;
  }
  inline void check_wait(const stream_operation& o);
  inline bool raw_goes_on(stream_end& e, bool awake);
  inline bool retire();
  inline void check_end(connection& c);
  inline void after_drained_operation(stream_end& e);

  held_buffers held_{world_};
  std::vector<std::unique_ptr<connection>> connections_;
};

#include "streams.ipp"

#endif // ASIO_URING_TEST_PROPERTIES_STREAMS_HPP
