// test/properties/relays.hpp: pipes: what another process writes to one is spliced into the next.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_PROPERTIES_RELAYS_HPP
#define ASIO_URING_TEST_PROPERTIES_RELAYS_HPP

#include "world.hpp"
#include <asio_uring/file_system.hpp>
#include <asio_uring/readable_pipe.hpp>
#include <asio_uring/writable_pipe.hpp>

class relays final : public actor
{
public:
  explicit relays(world& w) : actor(w)
  {
    int in[2], out[2];
    if (::pipe2(in, O_CLOEXEC) < 0 || ::pipe2(out, O_CLOEXEC) < 0) world_.fail("pipe2");
    in_ = std::make_shared<asio_uring::readable_pipe>(world_.context(), in[0]);
    out_ = std::make_shared<asio_uring::writable_pipe>(world_.context(), out[1]);
    writer_ = in[1];
    reader_ = out[0];
    for (const int fd : {writer_, reader_})
      ::fcntl(fd, F_SETFL, O_NONBLOCK);
  }
  ~relays() override
  {
    ::close(writer_);
    ::close(reader_);
  }

  void act() override
  {
    if (pending_) return cancel();
    pending_ = &world_.make(*this, kind::splice);
    pending_->data.assign(1 + world_.below(300), 0); // as many bytes at most
    pending_->slot = true;
    const auto size = static_cast<unsigned>(pending_->data.size());
    world_.start_simply(*pending_, nullptr, [&](auto&& h) {
      asio_uring::async_splice(*in_, std::nullopt, *out_, std::nullopt, size, 0, std::move(h));
    });
  }

  void completed(operation& o, error_code ec, std::size_t n) override
  {
    pending_ = nullptr;
    world_.claim_on(o, !ec || ec == asio::error::operation_aborted || world_.without_workers(),
                    "an error that no splice has", ec);
    moved_ += n;
    read();
  }
  void destroyed(operation&) override { unknown_ = true; }

  void others_go_on() override
  {
    if (world_.chance(300)) read();
    if (in_ && world_.chance(200)) write();
  }
  bool others_wake() override
  {
    read();
    return in_ && !world_.ending() && write();
  }
  void drain() override
  {
    if (pending_) cancel();
  }
  void check_drained() override
  {
    read();
    if (received_ != moved_) world_.fail("what was spliced is not what is told");
  }
  void tear_down() override
  {
    if (pending_) pending_->asked = true;
    in_.reset();
    out_.reset();
  }

private:
  void cancel()
  {
    pending_->asked = pending_->asked_alone = true;
    pending_->signal.emit(asio::cancellation_type::terminal);
  }

  static unsigned char byte(std::size_t place) { return static_cast<unsigned char>(place * 7 + place / 251); }

  bool write()
  {
    std::vector<unsigned char> data(1 + world_.below(200));
    for (std::size_t i = 0; i < data.size(); ++i)
      data[i] = byte(written_ + i);
    const ssize_t n = ::write(writer_, data.data(), data.size());
    if (n > 0) written_ += static_cast<std::size_t>(n);
    return n > 0;
  }
  void read()
  {
    unsigned char data[512];
    for (ssize_t n; (n = ::read(reader_, data, sizeof(data))) > 0;)
      for (ssize_t i = 0; i < n; ++i)
        if (data[i] != byte(received_++)) world_.fail("spliced bytes are lost, doubled or out of order");
    if (!pending_ && !unknown_) world_.claim(received_ == moved_, "what was spliced is not what is told");
  }

  std::shared_ptr<asio_uring::readable_pipe> in_;
  std::shared_ptr<asio_uring::writable_pipe> out_;
  int writer_, reader_;
  operation* pending_ = nullptr;
  std::size_t written_ = 0, moved_ = 0, received_ = 0;
  bool unknown_ = false;
};

#endif // ASIO_URING_TEST_PROPERTIES_RELAYS_HPP
