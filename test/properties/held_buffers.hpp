// test/properties/held_buffers.hpp: the buffer rings of a random program, and buffers that it holds.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_PROPERTIES_HELD_BUFFERS_HPP
#define ASIO_URING_TEST_PROPERTIES_HELD_BUFFERS_HPP

#include "world.hpp"
#include <cstring>

class held_buffers
{
public:
  using ring = asio_uring::buffer_ring;

  explicit held_buffers(world& w) : world_(w) {}

  /// A ring that streams share; sometimes a new one replaces it.
  const ring& any_ring()
  {
    const std::size_t which = world_.below(most_rings);
    std::unique_ptr<ring>& r = rings_[which];
    if (!r || world_.chance(30)) {
      asio_uring::buffer_ring_options o{.buffers = 2 + static_cast<unsigned>(world_.below(3)), .size = 64};
      if (world_.chance(200)) o.max_buffers = 2 * o.buffers;
      auto made = std::make_unique<ring>(world_.context(), o);
      if (r && world_.chance(500)) former_.push_back(std::move(r)); // or it ends before its streams
      r = std::move(made);
    }
    return *r;
  }

  /// Holds a buffer for some time, perhaps in two parts.
  void hold(asio_uring::received_buffer bytes)
  {
    if (world_.ending() || !world_.chance(400)) return;
    if (world_.chance(200)) hold_part(bytes.split(world_.below(bytes.size() + 1)));
    hold_part(std::move(bytes));
  }
  /// Gives back one of them, in any thread.
  void give_back()
  {
    if (held_.empty()) return;
    const auto any = held_.begin() + static_cast<std::ptrdiff_t>(world_.below(held_.size()));
    check(*any);
    std::swap(*any, held_.back());
    held_.pop_back();
  }
  void give_all_back()
  {
    while (!held_.empty())
      give_back();
  }

  /// Checks that all buffers are free after the context, and with it all streams, are gone.
  void check_end()
  {
    give_all_back();
    for (auto& r : rings_)
      if (r) former_.push_back(std::move(r));
    for (const auto& r : former_)
      if (r->free_buffers() != r->buffers()) world_.fail("a buffer has not come home");
  }
  void describe() const
  {
    std::fprintf(stderr, "%zu parts of buffers held\n", held_.size());
    for (const auto& r : rings_)
      if (r)
        std::fprintf(stderr, "ring: %zu of %zu buffers free, taken by %s\n", r->free_buffers(), r->buffers(),
                     r->group()->with_kernel() ? "the kernel" : "calls");
  }

private:
  struct part
  {
    asio_uring::received_buffer bytes;
    std::string copy;
  };
  static constexpr std::size_t most_rings = 2;

  void hold_part(asio_uring::received_buffer bytes)
  {
    std::string copy(bytes.text());
    held_.push_back({std::move(bytes), std::move(copy)});
  }
  void check(const part& p)
  {
    if (p.bytes.text() != p.copy) world_.fail("a buffer was written to while it was held");
  }

  world& world_;
  std::unique_ptr<ring> rings_[most_rings];
  std::vector<std::unique_ptr<ring>> former_;
  std::vector<part> held_;
};

#endif // ASIO_URING_TEST_PROPERTIES_HELD_BUFFERS_HPP
