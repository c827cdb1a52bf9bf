// test/unwinding.cpp: exceptions between the end of an operation and its handler, and objects that outlive
// their context.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "watched_memory.hpp"
#include <malloc.h>
#include <sys/un.h>

using namespace test;

namespace {

using datagram = asio::local::datagram_protocol;

/// Checks that nothing leaks, whichever move of the handler throws, in the initiating function or in the
/// loop.
template <typename Operation, typename Bind>
void throw_at_each_move(Bind bind)
{
  for (int n = 0;; ++n) {
    BOOST_TEST_CONTEXT("move " << n)
    {
      asio::io_context context;
      Operation operation(context);
      const auto strand = asio::make_strand(context);
      throwing_handler::called = 0;
      bool thrown = false;
      const auto attempt = [&](auto&& part) {
        try {
          part();
        } catch (const std::runtime_error&) {
          thrown = true;
        }
      };
      attempt([&] {
        auto handler = bind(strand, throwing_handler());
        throwing_handler::moves_left = n;
        operation.start(std::move(handler));
      });
      attempt([&] { finish(context); });
      throwing_handler::moves_left = -1;
      finish(context);
      BOOST_CHECK_EQUAL(throwing_handler::alive, 0);
      BOOST_CHECK_EQUAL(memory.live, 0);
      BOOST_CHECK_EQUAL(throwing_handler::called, thrown ? 0 : 1);
      if (!thrown) return;
    }
    BOOST_REQUIRE_LT(n, 50);
  }
}
template <typename Operation>
void throw_at_each_move()
{
  throw_at_each_move<Operation>([](const auto&, auto&& handler) { return std::move(handler); });
  throw_at_each_move<Operation>(
      [](const auto& strand, auto&& handler) { return asio::bind_executor(strand, std::move(handler)); });
}

struct a_read
{
  explicit a_read(asio::io_context& context) : in(context), out(context)
  {
    asio::connect_pipe(in, out);
    write_text(out, "x");
  }
  template <typename Handler>
  void start(Handler&& handler)
  {
    in.async_read_some(asio::buffer(&byte, 1), std::move(handler));
  }
  asio::readable_pipe in;
  asio::writable_pipe out;
  char byte;
};
struct a_send : pair<>
{
  using pair::pair;
  template <typename Handler>
  void start(Handler&& handler)
  {
    client.async_send(asio::buffer("x", 1), std::move(handler));
  }
};
struct a_wait : pair<>
{
  using pair::pair;
  template <typename Handler>
  void start(Handler&& handler)
  {
    client.async_wait(client.wait_write, std::move(handler));
  }
};
struct a_connect
{
  explicit a_connect(asio::io_context& context) : acceptor(context), client(context) {}
  template <typename Handler>
  void start(Handler&& handler)
  {
    client.async_connect(acceptor.endpoint(), std::move(handler));
  }
  listener acceptor;
  tcp::socket client;
};
struct an_accept : a_connect
{
  explicit an_accept(asio::io_context& context) : a_connect(context) { client.connect(acceptor.endpoint()); }
  template <typename Handler>
  void start(Handler&& handler)
  {
    acceptor.async_accept(std::move(handler));
  }
};

// --- names of UNIX sockets that fill the address

/// A socket with the longest possible name, 108 bytes, for which Asio's endpoint has no room.
class long_named
{
public:
  explicit long_named(int type) : fd_(::socket(AF_UNIX, type, 0))
  {
    std::string path = std::filesystem::temp_directory_path().string() + "/" + std::to_string(::getpid());
    path.resize(sizeof(name_.sun_path), 'n');
    std::memcpy(name_.sun_path, path.data(), path.size());
    path_ = path;
    ::unlink(path_.c_str());
    BOOST_REQUIRE(::bind(fd_, reinterpret_cast<sockaddr*>(&name_), sizeof(name_)) == 0);
  }
  ~long_named()
  {
    ::close(fd_);
    ::unlink(path_.c_str());
  }
  long_named(const long_named&) = delete;

  template <typename Endpoint>
  void connect(const Endpoint& to)
  {
    BOOST_REQUIRE(::connect(fd_, to.data(), static_cast<socklen_t>(to.size())) == 0);
  }
  template <typename Endpoint>
  void send(const Endpoint& to, std::string_view text)
  {
    BOOST_REQUIRE(::sendto(fd_, text.data(), text.size(), 0, to.data(), static_cast<socklen_t>(to.size())) >
                  0);
  }

private:
  int fd_;
  sockaddr_un name_{.sun_family = AF_UNIX, .sun_path = {}};
  std::string path_;
};

} // namespace

BOOST_AUTO_TEST_SUITE(unwinding)

BOOST_AUTO_TEST_CASE(whichever_move_of_a_handler_throws_nothing_is_left)
{
  throw_at_each_move<a_read>();
  throw_at_each_move<a_send>();
  throw_at_each_move<a_wait>();
  throw_at_each_move<a_connect>();
  throw_at_each_move<an_accept>();
}

BOOST_AUTO_TEST_CASE(a_client_whose_name_does_not_fit_costs_nothing)
{
  socket_path path;
  asio::io_context context;
  local::acceptor acceptor(context, local::endpoint(path.name));
  auto session = std::make_shared<int>();
  const std::weak_ptr<int> watch = session;
  const std::size_t before = open_descriptors();
  for (const bool moving : {false, true}) {
    local::socket peer(context);
    local::endpoint endpoint;
    const auto handler = [session](auto&&...) { BOOST_ERROR("the handler was called"); };
    if (moving)
      acceptor.async_accept(endpoint, handler);
    else
      acceptor.async_accept(peer, endpoint, handler);
    settle(context);
    long_named client(SOCK_STREAM);
    client.connect(local::endpoint(path.name));
    BOOST_CHECK_THROW(finish(context), boost::system::system_error);
    finish(context);
    BOOST_CHECK(!peer.is_open());
  }
  BOOST_CHECK_EQUAL(open_descriptors(), before);
  session.reset();
  BOOST_CHECK(watch.expired());

  // The acceptor can still be used.
  local::socket peer(context), client(context);
  outcome accepted;
  acceptor.async_accept(peer, accepted.record());
  client.connect(local::endpoint(path.name));
  finish(context);
  CHECK_SUCCEEDED(accepted);
}

BOOST_AUTO_TEST_CASE(a_datagram_from_a_name_that_does_not_fit_leaves_the_receive_waiting)
{
  socket_path path, other;
  asio::io_context context;
  datagram::socket socket(context, datagram::endpoint(path.name)), well_named(context, other.name);
  datagram::endpoint sender;
  char text[8];
  outcome received;
  socket.async_receive_from(asio::buffer(text), sender, received.record());
  settle(context);
  long_named badly_named(SOCK_DGRAM);
  for (int i = 0; i < 3; ++i) {
    badly_named.send(datagram::endpoint(path.name), "bad");
    BOOST_CHECK_THROW(run_until(context, [&] { return received.done(); }), boost::system::system_error);
  }
  well_named.send_to(asio::buffer("good", 4), path.name);
  finish(context);
  CHECK_SUCCEEDED(received);
  BOOST_CHECK_EQUAL(received.bytes, 4);
  BOOST_CHECK_EQUAL(sender.path(), other.name);
}

// Freed memory is overwritten, so that reading it goes wrong.
BOOST_AUTO_TEST_CASE(a_closed_object_outlives_its_context)
{
  ::mallopt(M_PERTURB, 0x5a);
  {
    auto context = std::make_unique<asio::io_context>();
    pair<> sockets(*context);
    tcp::socket stays(std::move(sockets.client));
    listener acceptor(*context);
    asio::readable_pipe never_opened(*context);
    asio::ip::udp::socket released(*context, asio::ip::udp::v4());
    stays.close();
    sockets.server.close();
    acceptor.close();
    ::close(released.release());
    context.reset();

    error_code ec;
    char byte;
    for (auto* closed : {&stays, &sockets.client, &sockets.server}) {
      BOOST_CHECK(!closed->is_open());
      closed->shutdown(tcp::socket::shutdown_both, ec);
      BOOST_CHECK_EQUAL(ec, asio::error::bad_descriptor);
      closed->cancel(ec);
      BOOST_CHECK_EQUAL(ec, asio::error::bad_descriptor);
      closed->send(asio::buffer("x", 1), 0, ec);
      BOOST_CHECK_EQUAL(ec, asio::error::bad_descriptor);
      closed->receive(asio::buffer(&byte, 1), 0, ec);
      BOOST_CHECK_EQUAL(ec, asio::error::bad_descriptor);
      closed->wait(tcp::socket::wait_read, ec);
      BOOST_CHECK_EQUAL(ec, asio::error::bad_descriptor);
      BOOST_CHECK_EQUAL(closed->available(ec), 0);
      BOOST_CHECK(!closed->close(ec));
    }
    never_opened.read_some(asio::buffer(&byte, 1), ec);
    BOOST_CHECK_EQUAL(ec, asio::error::bad_descriptor);
  }
  ::mallopt(M_PERTURB, 0);
}

BOOST_AUTO_TEST_SUITE_END()
