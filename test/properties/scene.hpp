// test/properties/scene.hpp: a simulated kernel that does only what it is told.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_PROPERTIES_SCENE_HPP
#define ASIO_URING_TEST_PROPERTIES_SCENE_HPP

#include "../simulated_kernel.hpp"
#include <asio_uring/asio_uring.hpp>
#include <boost/asio.hpp>
#include <cstdio>
#include <cstdlib>
#include <optional>

namespace asio = boost::asio;
using asio_uring::path;
using boost::system::error_code;
using protocol = asio_uring::local::stream_protocol;
using socket_type = protocol::socket;

/// Two connections on a kernel that does only what it is told.
struct scene : environment
{
  /// `bound`: to the thread that is the first to need it, as the kernel's own rings are.
  explicit scene(path p, unsigned entries = 8, std::uint64_t seed = 1, bool bound = false,
                 std::chrono::nanoseconds spin = {},
                 asio_uring::closing closing = asio_uring::closing::at_once)
      : random(seed),
        context(bound ? BOOST_ASIO_CONCURRENCY_HINT_UNSAFE : BOOST_ASIO_CONCURRENCY_HINT_DEFAULT)
  {
    asio_uring::options o;
    o.path = p;
    o.entries = entries;
    o.spin = spin;
    o.closing = closing;
    o.completions = 2 * entries;
    o.kernel = [this, entries, bound] {
      auto k = std::make_unique<simulated_kernel>(entries, 2 * entries, random, *this, told, bound);
      kernel = k.get();
      ++kernels;
      return k;
    };
    asio_uring::use_io_uring(context, o);
    for (auto& [a, b] : pairs) {
      a.emplace(context);
      b.emplace(context);
      asio_uring::local::connect_pair(*a, *b);
    }
  }
  void others_go_on() override {}
  void asleep() override { fail("the loop sleeps for ever"); }
  [[noreturn]] void fail(const char* what) override
  {
    std::fprintf(stderr, "%s\n", what);
    std::abort();
  }

  static constexpr odds told{.refuse = 0,
                             .partial = 0,
                             .interrupt = 0,
                             .at_once = 1000,
                             .go_on = 1000,
                             .deliver = 1000,
                             .shorten = 0,
                             .consume = 0,
                             .no_memory = 0,
                             .interrupted = 0,
                             .restart = 0,
                             .thread_exits = 0,
                             .poll_ends = 0,
                             .multishot_ends = 0,
                             .no_descriptor = 0,
                             .buffer_used = 0,
                             .unasked = 1000,
                             .flags = 0,
                             .spurious = 0,
                             .flag_stays = 0,
                             .cancel_loses = 0,
                             .cancel_later = 0};
  decisions random;
  simulated_kernel* kernel = nullptr;
  int kernels = 0;
  asio::io_context context;
  std::pair<std::optional<socket_type>, std::optional<socket_type>> pairs[2];
};

#endif // ASIO_URING_TEST_PROPERTIES_SCENE_HPP
