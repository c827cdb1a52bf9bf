// test/records.cpp: the memory of operations is no more than Asio's.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "watched_memory.hpp"

using namespace test;

namespace {

namespace detail = boost::asio::detail;

/// What asio::buffer() returns: in older versions, classes of their own.
using mutable_buffers_1 = decltype(asio::buffer(std::declval<char (&)[1]>()));
using const_buffers_1 = decltype(asio::buffer(std::declval<const char (&)[1]>()));

/// Memory for one record of Asio's, allocated to one thing at a time.
struct fixed_memory;
template <typename T, std::size_t Size>
struct fixed
{
  using value_type = T;
  template <typename U>
  struct rebind
  {
    static_assert(sizeof(U) <= Size, "the storage is too small for the operation");
    using other = fixed<U, Size>;
  };
  explicit fixed(fixed_memory* m) : memory(m) {}
  template <typename U>
  fixed(const fixed<U, Size>& other) : memory(other.memory)
  {}
  T* allocate(std::size_t n);
  void deallocate(T*, std::size_t);
  bool operator==(const fixed&) const = default;
  fixed_memory* memory;
};

/// The handler of a receive, with the same size as `fixed_handler`.
struct model_handler
{
  void* room;
  outcome* result;
  void operator()(error_code, std::size_t);
};
inline constexpr std::size_t fixed_size =
    sizeof(detail::reactive_socket_recv_op<mutable_buffers_1, model_handler, asio::any_io_executor>);
inline constexpr std::size_t fixed_size_on_strand =
    sizeof(detail::reactive_socket_recv_op<
           mutable_buffers_1,
           asio::executor_binder<model_handler, asio::strand<asio::io_context::executor_type>>,
           asio::any_io_executor>);

struct fixed_memory
{
  alignas(std::max_align_t) std::byte bytes[fixed_size_on_strand];
  bool taken = false;
};
template <typename T, std::size_t Size>
T* fixed<T, Size>::allocate(std::size_t n)
{
  BOOST_REQUIRE(!std::exchange(memory->taken, true));
  BOOST_REQUIRE_LE(n * sizeof(T), Size);
  return reinterpret_cast<T*>(memory->bytes);
}
template <typename T, std::size_t Size>
void fixed<T, Size>::deallocate(T*, std::size_t)
{
  memory->taken = false;
}

template <std::size_t Size>
struct fixed_handler
{
  using allocator_type = fixed<char, Size>;
  allocator_type get_allocator() const { return allocator_type(room); }
  void operator()(error_code ec, std::size_t size) { result->record()(ec, size); }
  fixed_memory* room;
  outcome* result;
};

// --- every operation, and the operation of Asio's reactor for it

/// Objects of one executor type.
template <typename Executor>
struct objects
{
  using protocol = asio::ip::udp;
  using udp_socket = asio::basic_datagram_socket<protocol, Executor>;
  using tcp_socket = asio::basic_stream_socket<tcp, Executor>;
  using packet_socket = asio::basic_seq_packet_socket<asio::generic::seq_packet_protocol, Executor>;

  explicit objects(Executor e)
      : ex(e),
        udp(ex, {asio::ip::address_v4::loopback(), 0}),
        client(ex),
        peer(ex),
        acceptor(ex, loopback()),
        packets(ex, asio::generic::seq_packet_protocol(AF_UNIX, 0)),
        in(ex),
        out(ex)
  {
    asio::connect_pipe(in, out);
    client.open(tcp::v4());
  }

  Executor ex;
  udp_socket udp;
  tcp_socket client, peer;
  asio::basic_socket_acceptor<tcp, Executor> acceptor;
  packet_socket packets;
  asio::basic_readable_pipe<Executor> in;
  asio::basic_writable_pipe<Executor> out;
  protocol::endpoint sender;
  asio::socket_base::message_flags flags{};
  char bytes[8];
};

/// Starts each operation with a copy of the handler and calls `look(name, sizeof Asio's operation)`.
template <typename Executor, typename Handler, typename Look>
void start_each(objects<Executor>& o, const Handler& handler, Look look)
{
  using endpoint = asio::ip::udp::endpoint;
  const auto room = asio::buffer(o.bytes);
  const asio::const_buffer data(o.bytes, 1);
  const std::array<asio::mutable_buffer, 2> rooms{room, room};
  const std::vector<asio::const_buffer> pieces{data, data};

  o.udp.async_wait(o.udp.wait_read, Handler(handler));
  look("wait", sizeof(detail::reactive_wait_op<Handler, Executor>));
  o.udp.async_wait(o.udp.wait_error, Handler(handler));
  look("wait for an error", sizeof(detail::reactive_wait_op<Handler, Executor>));
  o.acceptor.async_wait(o.acceptor.wait_read, Handler(handler));
  look("wait of an acceptor", sizeof(detail::reactive_wait_op<Handler, Executor>));
  o.in.async_read_some(room, Handler(handler));
  look("read", sizeof(detail::descriptor_read_op<mutable_buffers_1, Handler, Executor>));
  o.in.async_read_some(rooms, Handler(handler));
  look("gathered read", sizeof(detail::descriptor_read_op<decltype(rooms), Handler, Executor>));
  o.out.async_write_some(const_buffers_1(data), Handler(handler));
  look("write", sizeof(detail::descriptor_write_op<const_buffers_1, Handler, Executor>));
  o.out.async_write_some(pieces, Handler(handler));
  look("gathered write", sizeof(detail::descriptor_write_op<decltype(pieces), Handler, Executor>));

  o.udp.async_receive_from(room, o.sender, Handler(handler));
  look("receive_from",
       sizeof(detail::reactive_socket_recvfrom_op<mutable_buffers_1, endpoint, Handler, Executor>));
  o.udp.async_receive_from(rooms, o.sender, Handler(handler));
  look("gathered receive_from",
       sizeof(detail::reactive_socket_recvfrom_op<decltype(rooms), endpoint, Handler, Executor>));
  o.udp.async_send_to(const_buffers_1(data), o.udp.local_endpoint(), Handler(handler));
  look("send_to", sizeof(detail::reactive_socket_sendto_op<const_buffers_1, endpoint, Handler, Executor>));
  o.udp.async_send_to(pieces, o.udp.local_endpoint(), Handler(handler));
  look("gathered send_to",
       sizeof(detail::reactive_socket_sendto_op<decltype(pieces), endpoint, Handler, Executor>));
  o.udp.async_receive(room, Handler(handler));
  look("receive", sizeof(detail::reactive_socket_recv_op<mutable_buffers_1, Handler, Executor>));
  o.udp.async_receive(rooms, Handler(handler));
  look("gathered receive", sizeof(detail::reactive_socket_recv_op<decltype(rooms), Handler, Executor>));
  o.packets.async_receive(room, o.flags, Handler(handler));
  look("receive with flags",
       sizeof(detail::reactive_socket_recvmsg_op<mutable_buffers_1, Handler, Executor>));
  o.packets.async_receive(rooms, o.flags, Handler(handler));
  look("gathered receive with flags",
       sizeof(detail::reactive_socket_recvmsg_op<decltype(rooms), Handler, Executor>));

  o.acceptor.async_accept(o.peer, Handler(handler));
  look(
      "accept",
      sizeof(
          detail::reactive_socket_accept_op<typename objects<Executor>::tcp_socket, tcp, Handler, Executor>));
  o.acceptor.async_accept(Handler(handler));
  look("moving accept", sizeof(detail::reactive_socket_move_accept_op<tcp, Executor, Handler, Executor>));
  o.client.async_connect(o.acceptor.local_endpoint(), Handler(handler));
  look("connect", sizeof(detail::reactive_socket_connect_op<Handler, Executor>));
  o.client.async_receive(room, o.client.message_out_of_band, Handler(handler));
  look("receive out of band", sizeof(detail::reactive_socket_recv_op<mutable_buffers_1, Handler, Executor>));
  o.client.async_send(const_buffers_1(data), Handler(handler));
  look("send", sizeof(detail::reactive_socket_send_op<const_buffers_1, Handler, Executor>));
  o.client.async_send(pieces, Handler(handler));
  look("gathered send", sizeof(detail::reactive_socket_send_op<decltype(pieces), Handler, Executor>));
#if !defined(BOOST_ASIO_NO_DEPRECATED)
  o.client.async_receive(asio::null_buffers(), Handler(handler));
  look("receive of null_buffers", sizeof(detail::reactive_null_buffers_op<Handler, Executor>));
  o.client.async_send(asio::null_buffers(), Handler(handler));
  look("send of null_buffers", sizeof(detail::reactive_null_buffers_op<Handler, Executor>));
#endif
}

template <typename Executor, typename Handler>
void compare_sizes(Executor ex, const Handler& handler, const char* what)
{
  objects<Executor> o(ex);
  start_each(o, handler, [&](const char* operation, std::size_t asios) {
    BOOST_CHECK_MESSAGE(memory.last != 0, operation << " asked for no memory");
    BOOST_CHECK_MESSAGE(on_uring ? memory.last <= asios : memory.last == asios,
                        operation << ", " << what << ": " << memory.last << " bytes, Asio's: " << asios);
    memory.last = 0;
  });
}

/// Checks all operations with handlers of several sizes, and on the executors that programs bind handlers to.
template <typename Executor>
void compare_all_sizes(asio::io_context& context, Executor ex)
{
  const handler_with<void*> handler;
  const asio::any_io_executor erased = context.get_executor();
  compare_sizes(ex, handler, "a pointer");
  compare_sizes(ex, handler_with<no_state>(), "nothing");
  compare_sizes(ex, handler_with<int>(), "an int");
  compare_sizes(ex, handler_with<odd_state>(), "13 bytes");
  compare_sizes(ex, asio::bind_executor(context.get_executor(), handler), "the context's executor");
  compare_sizes(ex, asio::bind_executor(erased, handler), "any_io_executor");
  compare_sizes(ex, asio::bind_executor(asio::make_strand(context), handler), "a strand");
}

} // namespace

BOOST_AUTO_TEST_SUITE(records)

BOOST_AUTO_TEST_CASE(no_record_is_larger_than_asios)
{
  asio::io_context context;
  compare_all_sizes(context, context.get_executor());
  compare_all_sizes(context, asio::any_io_executor(context.get_executor()));
  compare_sizes(asio::make_strand(context), handler_with<void*>(), "a socket on a strand");
}

// As in Asio's example of custom allocation, but without spare room.
BOOST_AUTO_TEST_CASE(memory_of_exactly_asios_size_suffices)
{
  asio::io_context context;
  pair<> sockets(context);
  fixed_memory room;
  char byte;
  outcome received;
  sockets.server.async_receive(asio::buffer(&byte, 1), fixed_handler<fixed_size>{&room, &received});
  settle(context);
  BOOST_CHECK(room.taken);
  write_text(sockets.client, "x");
  finish(context);
  BOOST_CHECK(!room.taken);
  CHECK_SUCCEEDED(received);

  // The record is freed before the strand allocates memory.
  outcome on_strand;
  sockets.server.async_receive(asio::buffer(&byte, 1),
                               asio::bind_executor(asio::make_strand(context),
                                                   fixed_handler<fixed_size_on_strand>{&room, &on_strand}));
  write_text(sockets.client, "x");
  finish(context);
  CHECK_SUCCEEDED(on_strand);
}

BOOST_AUTO_TEST_CASE(a_handler_is_aligned_as_its_type_asks)
{
  struct alignas(64) aligned_handler
  {
    explicit aligned_handler(outcome& o) : result(&o) {}
    aligned_handler(aligned_handler&& other) noexcept : result(other.result), good(other.good) { look(); }
    ~aligned_handler() { look(); }
    void look() noexcept
    {
      // Stock Asio asks its deprecated hook for memory, which knows of no alignment.
      constexpr std::size_t promised = on_uring ? alignof(aligned_handler) : __STDCPP_DEFAULT_NEW_ALIGNMENT__;
      good &= reinterpret_cast<std::uintptr_t>(this) % promised == 0;
    }
    void operator()(error_code ec, std::size_t size)
    {
      BOOST_CHECK(good);
      result->record()(ec, size);
    }
    outcome* result;
    bool good = true;
  };
  asio::io_context context;
  pair<> sockets(context);
  char byte;
  for (int i = 0; i < 8; ++i) { // not by chance
    outcome received;
    sockets.server.async_receive(asio::buffer(&byte, 1), aligned_handler(received));
    write_text(sockets.client, "x");
    finish(context);
    CHECK_SUCCEEDED(received);
  }
}

BOOST_AUTO_TEST_CASE(no_memory_for_a_record_is_told_by_the_initiating_function)
{
  asio::io_context context;
  pair<> sockets(context);
  char byte;
  memory.fail = true;
  BOOST_CHECK_THROW(sockets.server.async_receive(asio::buffer(&byte, 1), handler_with<int>()),
                    std::bad_alloc);
  memory.fail = false;
  BOOST_CHECK_EQUAL(finish(context), 0);

  outcome received;
  sockets.server.async_receive(asio::buffer(&byte, 1), received.record());
  write_text(sockets.client, "x");
  finish(context);
  CHECK_SUCCEEDED(received);
}

BOOST_AUTO_TEST_CASE(no_memory_where_a_strand_needs_it_leaves_nothing)
{
  asio::io_context context;
  pair<> sockets(context);
  char byte;
  sockets.server.async_receive(asio::buffer(&byte, 1),
                               asio::bind_executor(asio::make_strand(context), handler_with<int>()));
  settle(context);
  write_text(sockets.client, "x");
  memory.fail = true;
  BOOST_CHECK_THROW(finish(context), std::bad_alloc);
  memory.fail = false;
  finish(context);
  BOOST_CHECK_EQUAL(memory.live, 0);
}

BOOST_AUTO_TEST_SUITE_END()
