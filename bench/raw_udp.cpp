// Hand-written UDP echo servers:
//   epoll      epoll, recvfrom and sendto until there is nothing left
//   oneshot    one recvmsg, then one sendmsg, each on the ring
//   multishot  one multishot recvmsg that takes buffers from a ring of buffers, sendmsg on the ring
//   poll       one multishot poll on the ring, plain calls
#include "socket.hpp"
#include <array>
#include <cstdint>
#include <liburing.h>
#include <string>
#include <sys/epoll.h>
#include <utility>
#include <vector>

namespace {

constexpr std::size_t largest = 8192;

// Echoes all datagrams that are there.
void echo(int fd)
{
  static std::array<char, largest> data;
  for (;;) {
    sockaddr_storage peer;
    socklen_t length = sizeof peer;
    auto* const address = reinterpret_cast<sockaddr*>(&peer);
    auto const size = recvfrom(fd, data.data(), data.size(), MSG_DONTWAIT, address, &length);
    if (size < 0) return;
    sendto(fd, data.data(), static_cast<std::size_t>(size), 0, address, length);
  }
}

void with_epoll(int fd)
{
  int const epoll = bench::check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
  epoll_event event{};
  event.events = EPOLLIN;
  bench::check(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
  while (!bench::stopped)
    if (epoll_wait(epoll, &event, 1, -1) == 1) echo(fd);
}

class ring
{
public:
  ring()
  {
    errno = -io_uring_queue_init(1024, &ring_, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN);
    if (errno) bench::check(-1, "io_uring_queue_init");
    io_uring_register_ring_fd(&ring_);
  }
  ~ring() { io_uring_queue_exit(&ring_); }
  ring(ring const&) = delete;
  ring& operator=(ring const&) = delete;

  io_uring* native() { return &ring_; }
  io_uring_sqe* next()
  {
    for (;;) {
      if (auto* sqe = io_uring_get_sqe(&ring_)) return sqe;
      io_uring_submit(&ring_);
    }
  }

  // One turn: submit, wait, handle all that has completed.
  template <class Completed, class Turned>
  void run(Completed completed, Turned turned)
  {
    while (!bench::stopped) {
      io_uring_submit_and_wait(&ring_, 1);
      unsigned head, count = 0;
      io_uring_cqe* cqe;
      io_uring_for_each_cqe(&ring_, head, cqe)
      {
        ++count;
        completed(*cqe);
      }
      io_uring_cq_advance(&ring_, count);
      turned();
    }
  }

private:
  io_uring ring_{};
};

void with_poll(int fd)
{
  ring ring;
  auto const watch = [&] { io_uring_prep_poll_multishot(ring.next(), fd, POLLIN); };
  watch();
  ring.run(
      [&](io_uring_cqe const& cqe) {
        echo(fd);
        if (!(cqe.flags & IORING_CQE_F_MORE)) watch();
      },
      [] {});
}

void with_oneshot(int fd)
{
  ring ring;
  std::array<char, largest> data;
  sockaddr_storage peer;
  iovec part{data.data(), data.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_name = &peer;
  bool receiving = true;
  auto const receive = [&] {
    part.iov_len = data.size();
    message.msg_namelen = sizeof peer;
    io_uring_prep_recvmsg(ring.next(), fd, &message, 0);
  };
  receive();
  ring.run(
      [&](io_uring_cqe const& cqe) {
        if (receiving && cqe.res >= 0) {
          part.iov_len = static_cast<std::size_t>(cqe.res);
          io_uring_prep_sendmsg(ring.next(), fd, &message, 0);
          receiving = false;
        } else {
          receive();
          receiving = true;
        }
      },
      [] {});
}

class multishot
{
public:
  explicit multishot(int fd) : fd_(fd), memory_(buffers * size), sending_(buffers)
  {
    provided_ = static_cast<io_uring_buf_ring*>(std::aligned_alloc(4096, buffers * sizeof(io_uring_buf)));
    io_uring_buf_ring_init(provided_);
    io_uring_buf_reg registration{};
    registration.ring_addr = reinterpret_cast<std::uintptr_t>(provided_);
    registration.ring_entries = buffers;
    errno = -io_uring_register_buf_ring(ring_.native(), &registration, 0);
    if (errno) bench::check(-1, "io_uring_register_buf_ring");
    for (unsigned id = 0; id < buffers; ++id)
      give_back(id);
    publish();
    layout_.msg_namelen = sizeof(sockaddr_storage);
    receive();
    ring_.run([this](io_uring_cqe const& cqe) { completed(cqe); }, [this] { publish(); });
  }
  ~multishot()
  {
    io_uring_unregister_buf_ring(ring_.native(), 0);
    std::free(provided_);
  }
  multishot(multishot const&) = delete;
  multishot& operator=(multishot const&) = delete;

private:
  static constexpr unsigned buffers = 256;
  static constexpr unsigned size = largest + sizeof(io_uring_recvmsg_out) + sizeof(sockaddr_storage);
  static constexpr std::uint64_t receiving = buffers; // sends have the index of their buffer instead

  struct outgoing
  {
    iovec part;
    msghdr message;
  };

  char* data(unsigned id) { return memory_.data() + std::size_t{id} * size; }

  void give_back(unsigned id)
  {
    io_uring_buf_ring_add(provided_, data(id), size, static_cast<unsigned short>(id),
                          io_uring_buf_ring_mask(buffers), static_cast<int>(returned_++));
  }
  void publish()
  {
    io_uring_buf_ring_advance(provided_, static_cast<int>(std::exchange(returned_, 0)));
    if (std::exchange(starved_, false)) receive();
  }

  void receive()
  {
    auto* sqe = ring_.next();
    io_uring_prep_recvmsg_multishot(sqe, fd_, &layout_, 0);
    io_uring_sqe_set_data64(sqe, receiving);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = 0;
  }

  void completed(io_uring_cqe const& cqe)
  {
    if (cqe.user_data != receiving) return give_back(static_cast<unsigned>(cqe.user_data));
    if (cqe.res >= 0) send(cqe.flags >> IORING_CQE_BUFFER_SHIFT, cqe.res);
    if (!(cqe.flags & IORING_CQE_F_MORE)) starved_ = true;
  }

  void send(unsigned id, int received)
  {
    auto* const out = io_uring_recvmsg_validate(data(id), received, &layout_);
    if (!out) return give_back(id);
    auto& [part, message] = sending_[id];
    part = {io_uring_recvmsg_payload(out, &layout_),
            io_uring_recvmsg_payload_length(out, received, &layout_)};
    message = {};
    message.msg_name = io_uring_recvmsg_name(out);
    message.msg_namelen = out->namelen;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    auto* sqe = ring_.next();
    io_uring_prep_sendmsg(sqe, fd_, &message, 0);
    io_uring_sqe_set_data64(sqe, id);
  }

  ring ring_;
  int fd_;
  std::vector<char> memory_;
  std::vector<outgoing> sending_;
  msghdr layout_{};
  io_uring_buf_ring* provided_ = nullptr;
  unsigned returned_ = 0;
  bool starved_ = false;
};

} // namespace

int main(int argc, char** argv)
{
  bench::options const given(argc, argv, "raw_udp --udp PORT --path epoll|oneshot|multishot|poll");
  if (!given.has("udp")) given.fail("where? --udp");
  bench::endpoint const where(given);
  int const fd = bench::check(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket");
  bench::check(bind(fd, where.data(), where.size), "bind");
  bench::stop_on_signal();
  auto const path = given.text("path");
  if (path == "epoll")
    with_epoll(fd);
  else if (path == "oneshot")
    with_oneshot(fd);
  else if (path == "multishot")
    multishot serve(fd);
  else if (path == "poll")
    with_poll(fd);
  else
    given.fail("which --path?");
  close(fd);
}
