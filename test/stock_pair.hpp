// test/stock_pair.hpp: stock objects, for single operations on io_uring.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_STOCK_PAIR_HPP
#define ASIO_URING_TEST_STOCK_PAIR_HPP

#define ASIO_URING_TEST_STOCK // the objects stay stock
#include "fixture.hpp"

#include <asio_uring/asio_uring.hpp>
#include <cstdlib>
#include <exception>

namespace test {

/// A context whose ring is set up before the stock objects, if the environment says so; otherwise their
/// reactor is set up first.
struct stock_context : asio::io_context
{
  stock_context()
  {
    if (std::getenv("ASIO_URING_TEST_RING_FIRST"))
      asio_uring::use_io_uring(*this, {.pump = asio_uring::pump_kind::ring});
  }
};

/// A connected pair of stock sockets.
struct stock_pair
{
  stock_context context;
  tcp::socket client{context}, server{context};
  stock_pair() { test::connect(client, server); }
};

/// Runs a coroutine to its end, together with everything else that the context has to do.
template <typename Coroutine>
void run(asio::io_context& context, Coroutine coroutine)
{
  std::exception_ptr failure;
  bool finished = false;
  asio::co_spawn(context, std::move(coroutine), [&](std::exception_ptr e) {
    failure = e;
    finished = true;
  });
  finish(context);
  BOOST_REQUIRE(finished);
  if (failure) std::rethrow_exception(failure);
}

} // namespace test

#endif // ASIO_URING_TEST_STOCK_PAIR_HPP
