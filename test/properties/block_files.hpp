// test/properties/block_files.hpp: files that are read and written at any offset, by single operations and by
// chains.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_PROPERTIES_BLOCK_FILES_HPP
#define ASIO_URING_TEST_PROPERTIES_BLOCK_FILES_HPP

#include "file_model.hpp"
#include "world.hpp"
#include <asio_uring/chain.hpp>
#include <asio_uring/file_system.hpp>
#include <asio_uring/random_access_file.hpp>
#include <bitset>

/// Files in blocks. No two operations in flight use the same block, so that the content is always known.
class block_files final : public actor
{
public:
  explicit block_files(world& w) : actor(w) { open(); }

  void act() override
  {
    file& f = *files_[world_.below(files_.size())];
    if (!f.object->is_open()) return;
    const std::size_t choice = world_.below(100);
    if (choice < 25)
      transfer(f, kind::read);
    else if (choice < 55)
      transfer(f, kind::write);
    else if (choice < 60)
      synchronize(f);
    else if (choice < 75)
      start_chain(f);
    else if (choice < 85)
      transfer_now(f);
    else if (choice < 88)
      transfer_at_the_end_of_all(f);
    else if (choice < 95)
      cancel(f);
    else
      close(f);
  }

  void completed(operation& base, error_code ec, std::size_t n) override
  {
    auto& o = static_cast<file_operation&>(base);
    file& f = *o.where;
    f.ops.erase(&o);
    if (o.what == kind::chain) {
      chain_completed(o, ec);
      return;
    }
    if (o.impossible && ec == asio::error::invalid_argument) return;
    world_.claim_on(o,
                    (!ec && !o.impossible) || ec == asio::error::no_memory ||
                        ec == asio::error::operation_aborted || world_.without_workers(),
                    "an error that no file has", ec);
    if (o.what == kind::synchronize) return;
    if (!ec && n == 0) world_.fail_on(o, "nothing transferred");
    if (!o.impossible) finish(o, o.parts[0], n);
    f.busy &= ~o.blocks;
  }
  void destroyed(operation& base) override { static_cast<file_operation&>(base).where->model.forget(); }

  void check_sleep() override
  {
    for (const auto& f : files_)
      if (!f->ops.empty()) world_.fail("an operation of a file sleeps");
  }
  void tear_down() override
  {
    for (const auto& f : files_) {
      ask(f->ops);
      f->object.reset();
    }
  }
  void check_end() override
  {
    for (const auto& f : files_)
      world_.claim(f->model.right(), wrong);
  }

private:
  static constexpr std::size_t blocks = 32, block = 64;
  using block_set = std::bitset<blocks>;
  static constexpr const char* wrong = "a file does not hold what was written to it";

  struct file
  {
    file_model model{blocks * block};
    std::shared_ptr<asio_uring::random_access_file> object;
    block_set busy;
    operations ops;
  };
  /// One transfer of an operation: its place in the file, and in the operation's data.
  struct part
  {
    kind what;
    std::size_t offset, size, from;
    bool hard = false; // a hard link: what follows is performed in any case
  };
  struct file_operation : operation
  {
    using operation::operation;
    file* where = nullptr;
    block_set blocks;
    std::vector<part> parts;
    bool impossible = false;
  };

  void open()
  {
    file& f = *files_.emplace_back(std::make_unique<file>());
    f.object = std::make_shared<asio_uring::random_access_file>(world_.context());
    f.object->assign(f.model.number());
  }
  file_operation& make(kind k, file& f)
  {
    auto& o = world_.make<file_operation>(*this, k);
    o.where = &f;
    f.ops.insert(&o);
    return o;
  }
  /// Reserves free blocks for a transfer. False if those that were drawn are not free.
  bool reserve(file& f, file_operation& o, kind k)
  {
    const std::size_t first = world_.below(blocks);
    const std::size_t count = 1 + world_.below(std::min<std::size_t>(4, blocks - first));
    block_set wanted;
    for (std::size_t i = first; i < first + count; ++i)
      wanted.set(i);
    if ((wanted & f.busy).any()) return false;
    f.busy |= wanted;
    o.blocks |= wanted;
    o.parts.push_back({k, first * block, count * block, o.data.size()});
    std::vector<unsigned char> data;
    world_.fill(data, count * block);
    o.data.insert(o.data.end(), data.begin(), data.end());
    return true;
  }

  void transfer(file& f, kind k)
  {
    if (f.busy.count() > blocks / 2) return;
    auto& o = make(k, f);
    while (!reserve(f, o, k)) {
    }
    start_transfer(f, o);
  }
  /// Transfers at an offset that overflows, or that has another meaning for the kernel.
  void transfer_at_the_end_of_all(file& f)
  {
    auto& o = make(world_.chance(500) ? kind::read : kind::write, f);
    o.impossible = true;
    o.data.assign(8, 1);
    const std::size_t offset = world_.chance(500) ? ~std::size_t{0} : std::size_t{1} << 63;
    o.parts.push_back({o.what, offset, 8, 0});
    start_transfer(f, o);
  }
  void start_transfer(file& f, file_operation& o)
  {
    const std::size_t offset = o.parts[0].offset;
    world_.start_simply(o, f.object, [&](auto&& h) {
      if (o.what == kind::read)
        world_.chance(500)
            ? f.object->async_read_some_at(offset, asio::buffer(o.data), std::move(h))
            : f.object->async_read_some_at(offset, world_.split<asio::mutable_buffer>(o.data), std::move(h));
      else
        world_.chance(500)
            ? f.object->async_write_some_at(offset, asio::buffer(o.data), std::move(h))
            : f.object->async_write_some_at(offset, world_.split<asio::const_buffer>(o.data), std::move(h));
    });
  }
  void synchronize(file& f)
  {
    auto& o = make(kind::synchronize, f);
    world_.start_simply(o, f.object, [&](auto&& h) { asio_uring::async_fdatasync(*f.object, std::move(h)); });
  }

  void start_chain(file& f)
  {
    auto& o = make(kind::chain, f);
    for (std::size_t i = 1 + world_.below(3); i > 0; --i)
      reserve(f, o, world_.chance(700) ? kind::write : kind::read);
    auto chain = asio_uring::chain(*f.object);
    for (part& p : o.parts) {
      const auto buffer = asio::buffer(o.data.data() + p.from, p.size);
      p.what == kind::write ? chain.write_at(*f.object, p.offset, buffer)
                            : chain.read_at(*f.object, p.offset, buffer);
      p.hard = &p != &o.parts.back() && world_.chance(300);
      if (p.hard) chain.hardlink();
    }
    if (world_.chance(500)) {
      chain.fdatasync(*f.object);
      o.parts.push_back({kind::synchronize, 0, 0, 0});
    }
    if (world_.chance(300)) chain.drain();
    world_.start_simply(o, f.object, [&](auto&& h) { chain.async_run(std::move(h)); });
  }
  void chain_completed(file_operation& o, error_code ec)
  {
    const std::size_t most = world_.program_habits().ring.entries;
    if (o.parts.empty() || o.parts.size() > most) {
      world_.claim_on(o, ec.category() == asio_uring::misuse_category(), "a chain that cannot be", ec);
    } else {
      if (o.results.size() != o.parts.size()) world_.fail_on(o, "a chain's results are missing");
      bool broken = false, all = true;
      for (std::size_t i = 0; i < o.parts.size(); ++i) {
        const part& p = o.parts[i];
        const int result = o.results[i];
        const bool done = result >= 0 && static_cast<std::size_t>(result) == p.size;
        if (broken) world_.claim_on(o, result == -ECANCELED, "a chain goes on where it is broken");
        if (result >= 0 && p.what != kind::synchronize) finish(o, p, static_cast<std::size_t>(result));
        broken = broken || (!done && !p.hard);
        all = all && done;
      }
      world_.claim_on(o, all == !ec, "a chain's error does not fit its results", ec);
    }
    o.where->busy &= ~o.blocks;
  }

  void transfer_now(file& f)
  {
    file_operation o(world_, *this, world_.chance(500) ? kind::read : kind::write);
    o.where = &f;
    if (!reserve(f, o, o.what)) return;
    error_code ec;
    const std::size_t n = o.what == kind::read
                              ? f.object->read_some_at(o.parts[0].offset, asio::buffer(o.data), ec)
                              : f.object->write_some_at(o.parts[0].offset, asio::buffer(o.data), ec);
    if (ec || n == 0) world_.fail("a synchronous function fails");
    finish(o, o.parts[0], n);
    f.busy &= ~o.blocks;
  }

  void cancel(file& f)
  {
    ask(f.ops);
    f.object->cancel();
  }
  void close(file& f)
  {
    ask(f.ops);
    f.object->close();
    if (files_.size() < 6) open(); // reuses its number
  }

  /// Checks that the first n bytes were transferred, and no others.
  void finish(const file_operation& o, const part& p, std::size_t n)
  {
    file_model& model = o.where->model;
    const unsigned char* data = o.data.data() + p.from;
    if (p.what == kind::write)
      model.wrote(p.offset, data, n);
    else
      world_.claim_on(o, !model.known() || model.holds(p.offset, data, n),
                      "it did not read what was written there");
    world_.claim_on(o, model.right(p.offset, p.size), wrong);
  }

  std::vector<std::unique_ptr<file>> files_;
};

#endif // ASIO_URING_TEST_PROPERTIES_BLOCK_FILES_HPP
