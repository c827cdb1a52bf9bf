// Load generator over TLS: one message at a time on each connection; checks every byte that comes back.
#include "measure.hpp"
#include <fcntl.h>
#include <memory>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <vector>

namespace {

using bench::die;
using bench::now;

struct connection
{
  SSL* tls;
  std::uint64_t messages = 0, begun = 0;
  std::size_t received = 0;
};

class load
{
public:
  load(bench::endpoint const& where, std::size_t connections, std::size_t size)
      : context_(SSL_CTX_new(TLS_client_method())), bytes_(bench::echo_bytes()), incoming_(size)
  {
    if (!context_ || !connections || !size || size > 8192)
      die("connections and size: positive; size up to 8192");
    SSL_CTX_set_mode(context_, SSL_MODE_AUTO_RETRY);
    for (std::size_t i = 0; i < connections; ++i)
      connect(where);
    for (auto& each : connections_)
      send(each);
  }

  void run(std::uint64_t deadline)
  {
    while (now() < deadline) {
      std::array<epoll_event, 64> events;
      int const count = epoll_wait(epoll_, events.data(), events.size(), 5000);
      if (count == 0) die("the server is silent");
      for (int i = 0; i < count; ++i)
        receive(connections_[events[static_cast<unsigned>(i)].data.u64]);
    }
  }

  std::uint64_t completed() const { return completed_; }
  void measure(bench::histogram* into) { latencies_ = into; }

private:
  // The handshake blocks; what follows does not.
  void connect(bench::endpoint const& where)
  {
    int const fd = bench::connect_to(where);
    SSL* const tls = SSL_new(context_);
    if (!tls || !SSL_set_fd(tls, fd) || SSL_connect(tls) != 1) die("no handshake");
    fcntl(fd, F_SETFL, O_NONBLOCK);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = connections_.size();
    bench::check(epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
    connections_.push_back({tls});
  }

  // A message is small, and the one before has been answered, so there is always room.
  void send(connection& on)
  {
    on.begun = now();
    auto const size = static_cast<int>(incoming_.size());
    if (SSL_write(on.tls, bytes_.at(on.messages * incoming_.size()), size) != size) die("send failed");
  }

  void receive(connection& on)
  {
    for (;;) {
      int const got =
          SSL_read(on.tls, incoming_.data() + on.received, static_cast<int>(incoming_.size() - on.received));
      if (got <= 0 && SSL_get_error(on.tls, got) == SSL_ERROR_WANT_READ) return;
      if (got <= 0) die("the server closed a connection");
      on.received += static_cast<std::size_t>(got);
      if (on.received < incoming_.size()) continue;
      if (std::memcmp(incoming_.data(), bytes_.at(on.messages * incoming_.size()), incoming_.size()) != 0)
        die("wrong bytes");
      ++on.messages;
      ++completed_;
      on.received = 0;
      if (latencies_) latencies_->add(now() - on.begun);
      send(on);
    }
  }

  SSL_CTX* context_;
  bench::stream bytes_;
  std::vector<char> incoming_;
  std::vector<connection> connections_;
  int epoll_ = bench::check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
  std::uint64_t completed_ = 0;
  bench::histogram* latencies_ = nullptr;
};

} // namespace

int main(int argc, char** argv)
{
  bench::options const given(
      argc, argv,
      "tls_load --tcp PORT | --unix PATH [--connections N] [--size BYTES] [--seconds S]\n"
      "         [--warm-up SECONDS] [--server-pid PID]");
  std::signal(SIGPIPE, SIG_IGN);
  auto const measured = std::make_unique<bench::interval>(given);
  load load(bench::endpoint(given), static_cast<std::size_t>(given.number("connections", 1)),
            static_cast<std::size_t>(given.number("size", 64)));
  auto const in = [&](char const* name, double seconds) {
    return now() + static_cast<std::uint64_t>(given.number(name, seconds) * 1e9);
  };
  load.run(in("warm-up", 0.2));
  load.measure(&measured->latencies);
  measured->begin(load.completed());
  load.run(in("seconds", 1));
  measured->end(load.completed());
  measured->print();
}
