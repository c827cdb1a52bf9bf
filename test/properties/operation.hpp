// test/properties/operation.hpp: an operation of a random program, and its handler.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_PROPERTIES_OPERATION_HPP
#define ASIO_URING_TEST_PROPERTIES_OPERATION_HPP

#include "../simulation/environment.hpp"
#include <asio_uring/asio_uring.hpp>
#include <boost/asio.hpp>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace asio = boost::asio;
using boost::system::error_code;
using protocol = asio_uring::local::stream_protocol;
using socket_type = protocol::socket;

enum class kind
{
  read,
  next,
  peek,
  write,
  wait,
  accept,
  accept_into,
  next_connection,
  connect,
  post,
  timer,
  send,
  receive,
  synchronize,
  chain,
  splice
};
constexpr const char* names[] = {
    "read",    "next", "peek",  "write", "wait",    "accept",      "accept_into", "next_connection",
    "connect", "post", "timer", "send",  "receive", "synchronize", "chain",       "splice"};

class world;
class actor;

struct operation
{
  operation(world& w, actor& a, kind k) : program(w), owner(a), what(k) {}
  virtual ~operation() = default;

  world& program;
  actor& owner;
  const kind what;
  std::size_t number = 0;
  int calls = 0, destroyed = 0;
  bool asked = false;       // was asked to end early
  bool asked_alone = false; // and those before it were not
  std::optional<simulated_clock::time_point> deadline;
  asio::cancellation_signal signal;
  bool slot = false;
  std::vector<unsigned char> data;
  std::shared_ptr<socket_type> own; // the socket that connects, or is accepted into
  std::vector<int> results;         // the results of a chain
  asio_uring::received_buffer bytes;

  bool ended() const noexcept { return calls || destroyed; }
};
using operations = std::set<operation*>;

inline void ask(const operations& all)
{
  for (operation* o : all)
    o->asked = true;
}
/// Whether all of them were asked to end together.
inline bool all_asked(const operations& all)
{
  for (const operation* o : all)
    if (!o->asked || o->asked_alone) return false;
  return true;
}

/// Counts what the library allocates with the handler's allocator.
template <typename T>
struct counting_allocator
{
  using value_type = T;
  explicit counting_allocator(long* n) noexcept : blocks(n) {}
  template <typename U>
  counting_allocator(const counting_allocator<U>& other) noexcept : blocks(other.blocks)
  {}
  T* allocate(std::size_t n)
  {
    ++*blocks;
    return std::allocator<T>().allocate(n);
  }
  void deallocate(T* p, std::size_t n)
  {
    --*blocks;
    std::allocator<T>().deallocate(p, n);
  }
  friend bool operator==(const counting_allocator& a, const counting_allocator& b)
  {
    return a.blocks == b.blocks;
  }
  long* blocks;
};

/// A handler that reports when it runs or is destroyed, which must happen once.
class handler
{
public:
  handler(operation& o, std::shared_ptr<void> kept) : op_(&o), kept_(std::move(kept)) {}
  handler(handler&& other) noexcept : op_(std::exchange(other.op_, nullptr)), kept_(std::move(other.kept_)) {}
  handler& operator=(handler&&) = delete;
  inline ~handler();

  void operator()() { (*this)(error_code(), 0); }
  void operator()(error_code ec) { (*this)(ec, 0); }
  void operator()(error_code ec, socket_type peer)
  {
    op_->own = std::make_shared<socket_type>(std::move(peer));
    (*this)(ec, 0);
  }
  void operator()(error_code ec, asio_uring::received_buffer bytes)
  {
    const auto* const data = reinterpret_cast<const unsigned char*>(bytes.data());
    const std::size_t size = bytes.size();
    op_->data.assign(data, data + size);
    op_->bytes = std::move(bytes);
    (*this)(ec, size);
  }
  void operator()(error_code ec, std::vector<int> results)
  {
    op_->results = std::move(results);
    (*this)(ec, 0);
  }
  inline void operator()(error_code ec, std::size_t n);

  using cancellation_slot_type = asio::cancellation_slot;
  cancellation_slot_type get_cancellation_slot() const noexcept
  {
    return op_ && op_->slot ? op_->signal.slot() : asio::cancellation_slot();
  }

private:
  operation* op_;
  std::shared_ptr<void> kept_; // like a session that keeps itself alive
};

/// The same with an allocator.
class allocating_handler : public handler
{
public:
  allocating_handler(operation& o, std::shared_ptr<void> kept, long& blocks)
      : handler(o, std::move(kept)), blocks_(&blocks)
  {}
  using allocator_type = counting_allocator<void>;
  allocator_type get_allocator() const noexcept { return allocator_type(blocks_); }

private:
  long* blocks_;
};

#endif // ASIO_URING_TEST_PROPERTIES_OPERATION_HPP
