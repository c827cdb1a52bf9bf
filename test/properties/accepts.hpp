// test/properties/accepts.hpp: an acceptor, and sockets that connect to it.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_PROPERTIES_ACCEPTS_HPP
#define ASIO_URING_TEST_PROPERTIES_ACCEPTS_HPP

#include "world.hpp"
#include <asio_uring/accept_stream.hpp>
#include <poll.h>
#include <sys/un.h>

class accepts final : public actor
{
public:
  explicit accepts(world& w) : actor(w)
  {
    static unsigned number = 0;
    name_.assign(1, '\0');
    name_ += "asio_uring." + std::to_string(::getpid()) + "." + std::to_string(++number);
    acceptor_.emplace(world_.context(), protocol::endpoint(name_));
    if (world_.chance(300)) acceptor_->native_non_blocking(true);
  }

  void act() override
  {
    const std::size_t choice = world_.below(100);
    if (choice < 42)
      connect();
    else if (choice < 82)
      accept();
    else if (choice < 84)
      end_ahead();
    else if (choice < 95)
      move();
    else
      cancel();
  }

  void completed(operation& o, error_code ec, std::size_t) override
  {
    if (o.what == kind::connect) {
      --connects_;
      const bool usual = !ec || ec == asio::error::no_memory || ec == asio::error::no_buffer_space ||
                         ec == asio::error::operation_aborted || ec == asio::error::interrupted;
      world_.claim_on(o, usual, "an error that no connect has", ec);
      if (!ec) name(o.own->native_handle());
      o.own.reset();
      return;
    }
    pending_.erase(&o);
    world_.check_order(o, pending_, [](kind) { return true; });
    // A stream does not report that descriptors are used up.
    const bool usual = !ec || ec == asio::error::operation_aborted ||
                       (ec == asio::error::no_descriptors && o.what != kind::next_connection);
    world_.claim_on(o, usual, "an error that no accept has", ec);
    const std::shared_ptr<socket_type> peer = std::exchange(o.own, nullptr);
    if (!ec != peer->is_open()) world_.fail_on(o, "a socket that does not fit its error");
    if (!ec) accepted_.push_back(peer);
    look_at_accepted();
  }

  void others_go_on() override
  {
    if (!world_.chance(20) || world_.ending()) return;
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const protocol::endpoint to(name_);
    if (::connect(fd, to.data(), static_cast<socklen_t>(to.size())) == 0) name(fd);
    ::close(fd);
  }

  void check_sleep() override
  {
    pollfd p{acceptor_->native_handle(), POLLIN, 0};
    if (!pending_.empty() && ::poll(&p, 1, 0) == 1)
      world_.fail("an accept sleeps though there is a connection");
  }

  void drain() override
  {
    cancel();
    // Connects wait for room in the queue of connections that are not accepted yet.
    for (operation* o : connecting_)
      if (!o->ended()) {
        o->asked = true;
        o->own->cancel();
      }
  }

  /// Checks that everything that was connected is accepted, or waits to be.
  void check_drained() override
  {
    ahead_.reset();
    acceptor_->non_blocking(true);
    for (error_code ec; !ec;) {
      auto peer = std::make_shared<socket_type>(world_.context());
      acceptor_->accept(*peer, ec);
      if (!ec) accepted_.push_back(peer);
    }
    const int listener = acceptor_->native_handle();
    ::fcntl(listener, F_SETFL, ::fcntl(listener, F_GETFL) | O_NONBLOCK);
    for (int fd; (fd = ::accept(listener, nullptr, nullptr)) >= 0; ::close(fd)) {
      std::uint64_t id;
      if (::recv(fd, &id, sizeof(id), MSG_DONTWAIT) == sizeof(id) && !arrived_.insert(id).second)
        world_.fail("a connection was accepted twice");
    }
    look_at_accepted();
    if (arrived_ != named_) world_.fail("a connection is lost");
  }

  void tear_down() override
  {
    ask(pending_);
    accepted_.clear();
    ahead_.reset();
    acceptor_.reset();
  }

private:
  void accept()
  {
    if (pending_.size() >= 3) return;
    static constexpr kind kinds[] = {kind::accept, kind::accept_into, kind::next_connection};
    operation& o = world_.make(*this, kinds[world_.below(3)]);
    pending_.insert(&o);
    const auto start = [&](auto&& initiate) { world_.start(o, nullptr, world_.chance(100), initiate); };
    if (o.what == kind::accept && world_.wants_deadline())
      world_.start_within(o, nullptr,
                          [&](auto&& token) { acceptor_->async_accept(world_.context(), std::move(token)); });
    else if (o.what == kind::accept)
      start([&](auto&& h) { acceptor_->async_accept(world_.context(), std::move(h)); });
    else if (o.what == kind::next_connection) {
      if (!ahead_) ahead_.emplace(*acceptor_, asio_uring::accept_stream_options{1 + world_.below(4)});
      start([&](auto&& h) { ahead_->async_next(world_.context(), std::move(h)); });
    } else {
      o.own = std::make_shared<socket_type>(world_.context());
      start([&](auto&& h) { acceptor_->async_accept(*o.own, std::move(h)); });
    }
  }

  void end_ahead()
  {
    for (operation* o : pending_)
      if (o->what == kind::next_connection) o->asked = o->asked_alone = true;
    ahead_.reset();
  }

  void connect()
  {
    if (connects_ >= 8) return;
    operation& o = world_.make(*this, kind::connect);
    ++connects_;
    connecting_.push_back(&o);
    o.own = std::make_shared<socket_type>(world_.context());
    world_.start(o, nullptr, world_.chance(100),
                 [&](auto&& h) { o.own->async_connect(protocol::endpoint(name_), std::move(h)); });
  }

  void move()
  {
    protocol::acceptor other(std::move(*acceptor_));
    *acceptor_ = std::move(other);
  }

  void cancel()
  {
    ask(pending_);
    acceptor_->cancel();
  }

  /// Sends the name of a connection, its first bytes.
  void name(int fd)
  {
    const std::uint64_t id = ++last_name_;
    if (::send(fd, &id, sizeof(id), MSG_DONTWAIT | MSG_NOSIGNAL) == sizeof(id)) named_.insert(id);
  }
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
        world_.fail("a connection was accepted twice");
      peer = accepted_.erase(peer);
    }
  }

  std::string name_;
  std::optional<protocol::acceptor> acceptor_;
  std::optional<asio_uring::accept_stream<asio::local::stream_protocol, asio_uring::any_io_executor>> ahead_;
  operations pending_;
  unsigned connects_ = 0;
  std::vector<operation*> connecting_;
  std::uint64_t last_name_ = 0;
  std::set<std::uint64_t> named_, arrived_;
  std::vector<std::shared_ptr<socket_type>> accepted_;
};

#endif // ASIO_URING_TEST_PROPERTIES_ACCEPTS_HPP
