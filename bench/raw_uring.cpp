// The echo server that a careful C programmer writes on liburing, in three ways:
//   oneshot    one recv, then one send, each on the ring
//   multishot  one multishot recv that takes buffers from a ring of buffers, sends on the ring
//   poll       the ring as a better epoll: one multishot poll, plain recv and send calls
#include "socket.hpp"
#include <array>
#include <cstdint>
#include <liburing.h>
#include <memory>
#include <vector>

namespace {

enum class kind : std::uint64_t
{
  accept,
  receive,
  send,
  ignored
};

class ring
{
public:
  ring()
  {
    io_uring_params params{};
    params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE |
                   IORING_SETUP_SUBMIT_ALL;
    params.cq_entries = 8192;
    errno = -io_uring_queue_init_params(1024, &ring_, &params);
    if (errno) bench::check(-1, "io_uring_queue_init_params");
    io_uring_register_ring_fd(&ring_);
  }
  ~ring() { io_uring_queue_exit(&ring_); }
  ring(ring const&) = delete;
  ring& operator=(ring const&) = delete;

  io_uring_sqe* next()
  {
    for (;;) {
      if (auto* sqe = io_uring_get_sqe(&ring_)) return sqe;
      io_uring_submit(&ring_);
    }
  }

  static void tag(io_uring_sqe* sqe, kind what, std::uint64_t whose = 0)
  {
    io_uring_sqe_set_data64(sqe, whose << 2 | static_cast<std::uint64_t>(what));
  }

  io_uring* native() { return &ring_; }

private:
  io_uring ring_{};
};

void accept_on(ring& ring, int listening)
{
  auto* sqe = ring.next();
  io_uring_prep_multishot_accept(sqe, listening, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  ring::tag(sqe, kind::accept);
}

// One turn: submit all that the last turn prepared, wait, handle all that has completed.
template <class Path>
void run(ring& ring, bench::listener const& listener)
{
  Path path(ring);
  accept_on(ring, listener.fd());
  while (!bench::stopped) {
    io_uring_submit_and_wait(ring.native(), 1);
    unsigned head, count = 0;
    io_uring_cqe* cqe;
    io_uring_for_each_cqe(ring.native(), head, cqe)
    {
      ++count;
      auto const what = static_cast<kind>(cqe->user_data & 3);
      if (what != kind::accept) {
        if (what != kind::ignored) path.completed(cqe->user_data >> 2, what, *cqe);
        continue;
      }
      if (cqe->res >= 0) {
        listener.tune(cqe->res);
        path.opened(cqe->res);
      }
      if (!(cqe->flags & IORING_CQE_F_MORE)) accept_on(ring, listener.fd());
    }
    io_uring_cq_advance(ring.native(), count);
    path.turned();
  }
}

class oneshot
{
public:
  explicit oneshot(ring& ring) : ring_(ring) {}

  void opened(int fd)
  {
    connections_.resize(std::max(connections_.size(), static_cast<std::size_t>(fd) + 1));
    connections_[static_cast<std::size_t>(fd)] = std::make_unique<buffer>();
    receive(fd);
  }

  void completed(std::uint64_t whose, kind what, io_uring_cqe const& cqe)
  {
    int const fd = static_cast<int>(whose);
    if (cqe.res <= 0)
      close(fd);
    else if (what == kind::receive)
      send(fd, static_cast<unsigned>(cqe.res));
    else
      receive(fd);
  }

  void turned() {}

private:
  using buffer = std::array<char, 8192>;

  void receive(int fd)
  {
    auto* sqe = ring_.next();
    auto& data = *connections_[static_cast<std::size_t>(fd)];
    io_uring_prep_recv(sqe, fd, data.data(), data.size(), 0);
    ring::tag(sqe, kind::receive, static_cast<unsigned>(fd));
  }

  // With MSG_WAITALL, the kernel itself goes on after a short send.
  void send(int fd, unsigned size)
  {
    auto* sqe = ring_.next();
    io_uring_prep_send(sqe, fd, connections_[static_cast<std::size_t>(fd)]->data(), size,
                       MSG_NOSIGNAL | MSG_WAITALL);
    ring::tag(sqe, kind::send, static_cast<unsigned>(fd));
  }

  ring& ring_;
  std::vector<std::unique_ptr<buffer>> connections_;
};

class multishot
{
public:
  explicit multishot(ring& ring) : ring_(ring), memory_(buffers * stride), slots_(buffers)
  {
    auto const bytes = buffers * sizeof(io_uring_buf);
    provided_ = static_cast<io_uring_buf_ring*>(std::aligned_alloc(4096, bytes));
    io_uring_buf_ring_init(provided_);
    io_uring_buf_reg registration{};
    registration.ring_addr = reinterpret_cast<std::uintptr_t>(provided_);
    registration.ring_entries = buffers;
    errno = -io_uring_register_buf_ring(ring.native(), &registration, 0);
    if (errno) bench::check(-1, "io_uring_register_buf_ring");
    for (unsigned id = 0; id < buffers; ++id)
      give_back(id);
    turned();
  }
  ~multishot()
  {
    io_uring_unregister_buf_ring(ring_.native(), 0);
    std::free(provided_);
  }
  multishot(multishot const&) = delete;
  multishot& operator=(multishot const&) = delete;

  void opened(int fd)
  {
    connections_.resize(std::max(connections_.size(), static_cast<std::size_t>(fd) + 1));
    connections_[static_cast<std::size_t>(fd)] = {};
    receive(fd);
  }

  void completed(std::uint64_t whose, kind what, io_uring_cqe const& cqe)
  {
    int const fd = static_cast<int>(whose);
    auto& connection = connections_[static_cast<std::size_t>(fd)];
    if (what == kind::receive)
      received(fd, connection, cqe);
    else
      sent(fd, connection, cqe.res > 0);
    if (connection.ended && connection.first == none) close(fd);
  }

  // Gives back buffers, in one publication per turn; receives that found no buffer wait for it.
  void turned()
  {
    if (!returned_) return;
    io_uring_buf_ring_advance(provided_, static_cast<int>(returned_));
    returned_ = 0;
    for (int fd : starved_)
      receive(fd);
    starved_.clear();
  }

private:
  static constexpr unsigned buffers = 2048, buffer_size = 8192, none = ~0u;
  // Without the padding, buffers would share a few cache sets.
  static constexpr std::size_t stride = buffer_size + 64;

  // A received buffer, and the next one of its connection that waits to be sent.
  struct slot
  {
    unsigned size = 0, next = none;
  };
  struct connection_state
  {
    unsigned first = none, last = none;
    bool ended = false;
  };

  char* data(unsigned id) { return memory_.data() + id * stride; }

  void give_back(unsigned id)
  {
    io_uring_buf_ring_add(provided_, data(id), buffer_size, static_cast<unsigned short>(id),
                          io_uring_buf_ring_mask(buffers), static_cast<int>(returned_++));
  }

  void receive(int fd)
  {
    auto* sqe = ring_.next();
    io_uring_prep_recv_multishot(sqe, fd, nullptr, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = 0;
    ring::tag(sqe, kind::receive, static_cast<unsigned>(fd));
  }

  void received(int fd, connection_state& connection, io_uring_cqe const& cqe)
  {
    if (cqe.res > 0) {
      unsigned const id = cqe.flags >> IORING_CQE_BUFFER_SHIFT;
      slots_[id] = {static_cast<unsigned>(cqe.res), none};
      if (connection.first == none) {
        connection.first = id;
        send(fd, id);
      } else
        slots_[connection.last].next = id;
      connection.last = id;
    }
    if (cqe.flags & IORING_CQE_F_MORE) return;
    if (cqe.res > 0)
      receive(fd);
    else if (cqe.res == -ENOBUFS)
      starved_.push_back(fd);
    else
      connection.ended = true;
  }

  void send(int fd, unsigned id)
  {
    auto* sqe = ring_.next();
    io_uring_prep_send(sqe, fd, data(id), slots_[id].size, MSG_NOSIGNAL | MSG_WAITALL);
    ring::tag(sqe, kind::send, static_cast<unsigned>(fd));
  }

  // Only one send is in flight on a stream, or its bytes might interleave.
  void sent(int fd, connection_state& connection, bool alive)
  {
    do {
      unsigned const id = connection.first;
      connection.first = slots_[id].next;
      give_back(id);
    } while (!alive && connection.first != none);
    if (connection.first != none) send(fd, connection.first);
  }

  ring& ring_;
  std::vector<char> memory_;
  std::vector<slot> slots_;
  std::vector<connection_state> connections_;
  std::vector<int> starved_;
  io_uring_buf_ring* provided_;
  unsigned returned_ = 0;
};

class polled
{
public:
  explicit polled(ring& ring) : ring_(ring) {}

  void opened(int fd)
  {
    auto* sqe = ring_.next();
    io_uring_prep_poll_multishot(sqe, fd, POLLIN | POLLRDHUP);
    ring::tag(sqe, kind::receive, static_cast<unsigned>(fd));
  }

  void completed(std::uint64_t whose, kind, io_uring_cqe const& cqe)
  {
    if (cqe.res < 0) return; // the poll of a closed connection was removed
    int const fd = static_cast<int>(whose);
    if (!echo(fd, cqe.res & POLLRDHUP))
      end(fd, cqe.flags & IORING_CQE_F_MORE);
    else if (!(cqe.flags & IORING_CQE_F_MORE))
      opened(fd);
  }

  void turned() {}

private:
  // A read that does not fill the buffer has emptied the socket: later data completes the poll again, unless
  // the end of the stream was already part of this completion.
  bool echo(int fd, bool ends)
  {
    for (;;) {
      auto const size = recv(fd, data_.data(), data_.size(), 0);
      if (size < 0 && errno == EAGAIN) return true;
      if (size <= 0 || !bench::send_all(fd, data_.data(), static_cast<std::size_t>(size))) return false;
      if (static_cast<std::size_t>(size) < data_.size() && !ends) return true;
    }
  }

  // A poll holds the file: if it were not removed, the peer would never see the end.
  void end(int fd, bool polling)
  {
    if (polling) {
      auto* sqe = ring_.next();
      io_uring_prep_poll_remove(sqe, std::uint64_t{static_cast<unsigned>(fd)} << 2 |
                                         static_cast<std::uint64_t>(kind::receive));
      ring::tag(sqe, kind::ignored);
    }
    close(fd);
  }

  ring& ring_;
  std::array<char, 8192> data_;
};

} // namespace

int main(int argc, char** argv)
{
  bench::options const given(argc, argv, "raw_uring --tcp PORT | --unix PATH --path oneshot|multishot|poll");
  bench::listener const listener{bench::endpoint(given)};
  bench::stop_on_signal();
  ring ring;
  auto const path = given.text("path");
  if (path == "oneshot")
    run<oneshot>(ring, listener);
  else if (path == "multishot")
    run<multishot>(ring, listener);
  else if (path == "poll")
    run<polled>(ring, listener);
  else
    given.fail("which --path?");
}
