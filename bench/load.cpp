// Load generator: keeps `depth` requests outstanding on each connection, or makes a new connection for each
// request (--once, for a server that closes them). It checks every byte that comes back, and reads the
// server's CPU clock at both ends of the measured interval. With --memory it reports instead the server's
// memory per connection, each of which has had one answer. The result is one line of name=value pairs.
#include "measure.hpp"
#include <fcntl.h>
#include <memory>
#include <sys/epoll.h>
#include <vector>

namespace {

constexpr std::string_view usage =
    "load --tcp PORT | --udp PORT | --unix PATH [--connections N] [--size BYTES] [--depth OUTSTANDING]\n"
    "     [--http] [--once] [--seconds S | --requests N | --memory] [--warm-up SECONDS] [--server-pid PID]";

using bench::connect_to;
using bench::die;
using bench::histogram;
using bench::never;
using bench::now;
using bench::stream;

// What a connection sends, and what it must get back.
struct dialogue
{
  stream request, response;
  std::size_t request_size, response_size;
};

// A datagram server that has just been started may not listen yet: asks until it answers.
void wait_for_datagrams(bench::endpoint const& where)
{
  int const fd = connect_to(where);
  char byte = '?';
  for (auto const deadline = now() + 10'000'000'000;;) {
    send(fd, &byte, 1, 0);
    pollfd answer{fd, POLLIN, 0};
    if (poll(&answer, 1, 5) == 1 && recv(fd, &byte, 1, 0) == 1) break;
    if (now() > deadline) die("no answer by datagram");
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  close(fd);
}

// The first answer says what all others must be.
std::string learn_http(bench::endpoint const& where, std::string const& request)
{
  int const fd = connect_to(where);
  bench::send_all(fd, request.data(), request.size());
  std::string answer;
  for (std::array<char, 4096> part;;) {
    auto const size = recv(fd, part.data(), part.size(), 0);
    if (size <= 0) die("no HTTP answer");
    answer.append(part.data(), static_cast<std::size_t>(size));
    auto const end = answer.find("\r\n\r\n");
    if (end == answer.npos) continue;
    if (!answer.starts_with("HTTP/1.1 200")) die("not a 200 answer");
    auto const length = answer.find("Content-Length: ");
    if (length > end) die("an answer without Content-Length");
    if (answer.size() >= end + 4 + std::stoul(answer.substr(length + 16))) break;
  }
  close(fd);
  return answer;
}

dialogue make_dialogue(bench::options const& given, bench::endpoint const& where)
{
  if (given.has("http")) {
    std::string const request =
        "GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: load\r\nAccept: */*\r\n\r\n";
    auto const answer = learn_http(where, request);
    return {stream(request), stream(answer), request.size(), answer.size()};
  }
  auto const size = static_cast<std::size_t>(given.number("size", 64));
  return {stream(bench::echo_bytes()), stream(bench::echo_bytes()), size, size};
}

class load
{
public:
  load(bench::endpoint const& where, dialogue says, std::size_t connections, std::size_t depth, bool once)
      : where_(where), says_(std::move(says)), depth_(depth), once_(once), incoming_(stream::most_at_once)
  {
    if (!connections || !depth || !says_.request_size || depth * says_.request_size > stream::most_at_once)
      die("connections, depth and size must be positive, depth * size at most 65536");
    if (once && depth != 1) die("--once wants depth 1");
    epoll_ = bench::check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
    if (where.is_udp()) wait_for_datagrams(where);
    for (std::size_t i = 0; i < connections; ++i) {
      connections_.push_back({-1, 0, 0, std::vector<std::uint64_t>(depth)});
      connect(i);
    }
  }

  // Sends the first requests on every connection.
  void start(std::uint64_t requests)
  {
    budget_ = requests;
    for (auto& each : connections_)
      send(each, depth_, now());
  }

  // Runs until that many requests are done in all, or until the deadline.
  void run(std::uint64_t completed, std::uint64_t deadline)
  {
    for (std::uint64_t time = 0; completed_ < completed && time < deadline; time = now()) {
      std::array<epoll_event, 64> events;
      int const count = epoll_wait(epoll_, events.data(), events.size(), 5000);
      if (count == 0) die("the server is silent");
      for (int i = 0; i < count; ++i)
        receive(events[static_cast<unsigned>(i)].data.u64);
    }
  }

  // Receives the outstanding answers and sends nothing more.
  void finish()
  {
    budget_ = 0;
    run(sent_, never);
  }

  std::uint64_t completed() const { return completed_; }
  void measure(histogram* into) { latencies_ = into; }

private:
  struct connection
  {
    int fd;
    std::uint64_t sent, received;     // requests, bytes
    std::vector<std::uint64_t> begun; // start times of the outstanding requests, by number modulo depth
  };

  void connect(std::size_t number)
  {
    int const fd = connections_[number].fd = connect_to(where_);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    epoll_event event{};
    event.events = EPOLLIN | EPOLLET;
    event.data.u64 = number;
    bench::check(epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
  }

  void send(connection& on, std::size_t requests, std::uint64_t time)
  {
    requests = std::min<std::uint64_t>(requests, budget_);
    if (!requests) return;
    auto const* bytes = says_.request.at(on.sent * says_.request_size);
    if (!bench::send_all(on.fd, bytes, requests * says_.request_size)) die("send failed");
    budget_ -= requests;
    sent_ += requests;
    for (; requests; --requests)
      on.begun[on.sent++ % depth_] = time;
  }

  // A stream's read that does not fill the buffer has emptied the socket.
  void receive(std::size_t number)
  {
    auto& on = connections_[number];
    for (;;) {
      auto const got = recv(on.fd, incoming_.data(), incoming_.size(), 0);
      if (got < 0 && errno == EAGAIN) return;
      if (got == 0 && once_ && answered(on)) return again(number);
      if (got <= 0) die("the server closed a connection");
      auto const size = static_cast<std::size_t>(got);
      if (std::memcmp(incoming_.data(), says_.response.at(on.received), size) != 0) die("wrong bytes");
      auto const time = now();
      auto done = on.received / says_.response_size;
      on.received += size;
      auto const all = on.received / says_.response_size;
      if (all > on.sent) die("more bytes than were asked for");
      auto const requests = all - done;
      if (once_) continue; // counted when the server closes the connection
      completed_ += requests;
      for (; done < all; ++done)
        if (latencies_) latencies_->add(time - on.begun[done % depth_]);
      send(on, requests, time);
      if (size < incoming_.size() && !where_.is_udp()) return;
    }
  }

  bool answered(connection const& on) const { return on.received == on.sent * says_.response_size; }

  // The next request, on a new connection. Its time includes connecting.
  void again(std::size_t number)
  {
    auto& on = connections_[number];
    auto const time = now();
    ++completed_;
    if (latencies_) latencies_->add(time - on.begun[0]);
    close(on.fd);
    if (!budget_) return;
    connect(number);
    send(on, 1, time);
  }

  bench::endpoint where_;
  dialogue says_;
  std::size_t depth_;
  bool once_;
  std::vector<connection> connections_;
  std::vector<char> incoming_;
  int epoll_;
  std::uint64_t budget_ = 0, sent_ = 0, completed_ = 0;
  histogram* latencies_ = nullptr;
};

// Prints the server's memory per connection: its memory with all of them less that with one.
void print_memory(bench::options const& given, bench::endpoint const& where, std::size_t connections)
{
  auto const with = [&](std::size_t wanted) {
    load load(where, make_dialogue(given, where), wanted, 1, false);
    load.start(wanted);
    load.run(wanted, never);
    return static_cast<double>(bench::resident_bytes(static_cast<pid_t>(given.number("server-pid", 0))));
  };
  auto const one = with(1), all = with(connections);
  std::printf("connections=%zu bytes_per_connection=%.0f\n", connections,
              (all - one) / static_cast<double>(connections));
}

} // namespace

int main(int argc, char** argv)
{
  bench::options const given(argc, argv, usage);
  auto const measured = std::make_unique<bench::interval>(given);
  bench::endpoint const where(given);
  auto const connections = static_cast<std::size_t>(given.number("connections", 1));
  auto const depth = static_cast<std::size_t>(given.number("depth", 1));
  if (given.has("memory")) {
    print_memory(given, where, connections);
    return 0;
  }
  load load(where, make_dialogue(given, where), connections, depth, given.has("once"));

  // A fixed number of requests includes the warm-up, which is the first ones of each connection, so that it
  // is exact.
  bool const counted = given.has("requests");
  auto const warm = counted ? connections * depth : never;
  auto const wanted = counted ? warm + static_cast<std::uint64_t>(given.number("requests", 0)) : never;
  auto const in = [&](char const* name, double seconds) {
    return counted ? never : now() + static_cast<std::uint64_t>(given.number(name, seconds) * 1e9);
  };
  load.start(wanted);
  load.run(warm, in("warm-up", 0.2));
  load.measure(&measured->latencies);
  measured->begin(load.completed());
  load.run(wanted, in("seconds", 1));
  measured->end(load.completed());
  load.finish();
  measured->print();
}
