// asio_uring/detail/engine/timing_wheel.hpp: a hierarchical timing wheel.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_TIMING_WHEEL_HPP
#define ASIO_URING_DETAIL_ENGINE_TIMING_WHEEL_HPP

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace asio_uring::detail {

/// A hierarchical timing wheel: to insert and to remove takes the same time however many entries it has, and
/// allocates nothing.
/**
 * A tick is a number with digits of six bits, and the wheel has a level for each digit. An entry is on the
 * level of the highest digit in which its tick differs from the present, in the slot of that digit. When the
 * present reaches the slot, its entries move to a lower level, or are due. So all slots in use on a level are
 * later than the present, and everything on a level is due before all that is on a higher one.
 */
class timing_wheel
{
public:
  using tick_type = std::uint64_t;
  static constexpr tick_type never = ~tick_type{0};

  /// The base class of what a wheel holds.
  class entry
  {
  public:
    entry() = default;
    entry(const entry&) = delete;
    entry& operator=(const entry&) = delete;
    bool waits() const noexcept { return from_ != nullptr; }

  protected:
    ~entry() = default;

  private:
    friend class timing_wheel;
    entry* next_ = nullptr;
    entry** from_ = nullptr; // the pointer to this one; null if it is in no wheel
    tick_type tick_ = 0;
  };

  explicit timing_wheel(tick_type now) noexcept : now_(now) {}

  bool empty() const noexcept { return next() == never; }

  /// Inserts an entry that is due at `tick`, or at the next tick if that has passed.
  void insert(entry& e, tick_type tick) noexcept
  {
    assert(!e.waits());
    e.tick_ = std::max(tick, now_ + 1);
    place(e);
  }

  void remove(entry& e) noexcept
  {
    assert(e.waits());
    *e.from_ = e.next_;
    if (e.next_)
      e.next_->from_ = e.from_;
    else if (const auto slot = static_cast<std::size_t>(e.from_ - &slots_[0][0]); slot < levels * digits)
      used_[slot / digits] &= ~(std::uint64_t{1} << slot % digits);
    e.from_ = nullptr;
  }

  /// The tick at which advance() must be called next, at the latest: nothing is due before. `never` if the
  /// wheel is empty.
  tick_type next() const noexcept
  {
    for (unsigned level = 0; level < levels; ++level)
      if (used_[level]) return begin_of(level, static_cast<unsigned>(std::countr_zero(used_[level])));
    return never;
  }

  /// Removes what is due until `now`, and calls due(entry&) for each.
  template <typename F>
  void advance(tick_type now, F&& due) noexcept
  {
    for (tick_type reached; (reached = next()) <= now;) {
      const unsigned level = level_of(reached ^ now_);
      const auto slot = static_cast<unsigned>(reached >> bits * level) % digits;
      now_ = reached;
      used_[level] &= ~(std::uint64_t{1} << slot);
      for (entry* e = std::exchange(slots_[level][slot], nullptr); e;) {
        entry& each = *std::exchange(e, e->next_);
        each.from_ = nullptr;
        if (each.tick_ > now_)
          place(each);
        else
          due(each);
      }
    }
    now_ = std::max(now_, now);
  }

private:
  static constexpr unsigned bits = 6, digits = 1 << bits;
  static constexpr unsigned levels = (64 + bits - 1) / bits;

  static unsigned level_of(tick_type difference) noexcept
  {
    return (63 - static_cast<unsigned>(std::countl_zero(difference))) / bits;
  }
  tick_type begin_of(unsigned level, unsigned slot) const noexcept
  {
    const unsigned above = bits * (level + 1);
    return (above < 64 ? now_ >> above << above : 0) | tick_type{slot} << bits * level;
  }

  void place(entry& e) noexcept
  {
    const unsigned level = level_of(e.tick_ ^ now_);
    const auto slot = static_cast<unsigned>(e.tick_ >> bits * level) % digits;
    used_[level] |= std::uint64_t{1} << slot;
    entry*& first = slots_[level][slot];
    e.next_ = first;
    if (first) first->from_ = &e.next_;
    first = &e;
    e.from_ = &first;
  }

  tick_type now_;
  std::uint64_t used_[levels]{};   // which slots are in use
  entry* slots_[levels][digits]{}; // the first of each
};

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_ENGINE_TIMING_WHEEL_HPP
