// test/properties/stream_files.hpp: files with a position, which reads and writes move in order.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_PROPERTIES_STREAM_FILES_HPP
#define ASIO_URING_TEST_PROPERTIES_STREAM_FILES_HPP

#include "file_model.hpp"
#include "world.hpp"
#include <asio_uring/stream_file.hpp>

class stream_files final : public actor
{
public:
  explicit stream_files(world& w) : actor(w) { open(); }

  void act() override
  {
    file& f = *files_[world_.below(files_.size())];
    if (!f.object->is_open()) return;
    const std::size_t choice = world_.below(100);
    if (choice < 35)
      transfer(f, kind::read);
    else if (choice < 65)
      transfer(f, kind::write);
    else if (choice < 78)
      transfer_now(f);
    else if (choice < 88)
      seek(f);
    else if (choice < 97)
      cancel(f);
    else
      close(f);
  }

  void completed(operation& base, error_code ec, std::size_t n) override
  {
    auto& o = static_cast<file_operation&>(base);
    file& f = *o.where;
    f.ops.erase(&o);
    world_.check_order(o, f.ops, [](kind) { return true; });
    world_.claim_on(o,
                    !ec || ec == asio::error::no_memory || ec == asio::error::operation_aborted ||
                        (o.what == kind::read && ec == asio::error::eof) || world_.without_workers(),
                    "an error that no file has", ec);
    if (ec == asio::error::eof && !o.asked) // otherwise the file may have grown since
      world_.claim_on(o, *o.position >= f.model.size() || o.data.empty(), "no end is there");
    if (!ec && n == 0 && !o.data.empty()) world_.fail_on(o, "nothing transferred");
    moved(f, o.what, *o.position, o.data.data(), n);
    if (f.ops.empty() && f.object->is_open() && !world_.broken()) check_position(f);
  }
  void destroyed(operation& o) override
  {
    if (o.what == kind::write) static_cast<file_operation&>(o).where->model.forget();
  }

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
  struct file
  {
    file_model model;
    std::shared_ptr<asio_uring::stream_file> object;
    /// Where the next operation begins. Operations that were started before a seek have another position.
    std::shared_ptr<std::size_t> position = std::make_shared<std::size_t>(0);
    operations ops;
  };
  struct file_operation : operation
  {
    using operation::operation;
    file* where = nullptr;
    std::shared_ptr<std::size_t> position;
  };
  static constexpr const char* wrong = "a file does not hold what was written to it";

  void open()
  {
    file& f = *files_.emplace_back(std::make_unique<file>());
    f.object = std::make_shared<asio_uring::stream_file>(world_.context());
    f.object->assign(f.model.number());
  }

  void transfer(file& f, kind k)
  {
    if (f.ops.size() >= 4) return;
    auto& o = world_.make<file_operation>(*this, k);
    o.where = &f;
    o.position = f.position;
    f.ops.insert(&o);
    world_.fill(o.data, 1 + world_.below(300));
    world_.start_simply(o, f.object, [&](auto&& h) {
      if (k == kind::read)
        world_.chance(500)
            ? f.object->async_read_some(asio::buffer(o.data), std::move(h))
            : f.object->async_read_some(world_.split<asio::mutable_buffer>(o.data), std::move(h));
      else
        world_.chance(500)
            ? f.object->async_write_some(asio::buffer(o.data), std::move(h))
            : f.object->async_write_some(world_.split<asio::const_buffer>(o.data), std::move(h));
    });
  }

  /// Whether a synchronous function may be called: it comes after what was started, but what was asked to end
  /// may not have ended.
  bool nothing_under_way(const file& f, bool reads_only) const
  {
    return all_asked(f.ops) && (!reads_only || std::all_of(f.ops.begin(), f.ops.end(), [](operation* o) {
             return o->what == kind::read;
           }));
  }

  void transfer_now(file& f)
  {
    if (!nothing_under_way(f, true)) return;
    std::vector<unsigned char> data;
    world_.fill(data, 1 + world_.below(200));
    error_code ec;
    const kind k = world_.chance(500) ? kind::read : kind::write;
    const std::size_t n = k == kind::read ? f.object->read_some(asio::buffer(data), ec)
                                          : f.object->write_some(asio::buffer(data), ec);
    if (!ec == (n == 0)) world_.fail("a synchronous function's result does not fit its error");
    moved(f, k, *f.position, data.data(), n);
  }

  void seek(file& f)
  {
    if (!nothing_under_way(f, false)) return;
    const std::size_t to = world_.below(2000);
    if (f.object->seek(static_cast<std::int64_t>(to), asio::file_base::seek_set) != to)
      world_.fail("the position is not where it was set");
    f.position = std::make_shared<std::size_t>(to);
  }

  void cancel(file& f)
  {
    ask(f.ops);
    f.object->cancel();
    if (world_.chance(300)) seek(f);
    if (world_.chance(300)) transfer_now(f);
  }

  void close(file& f)
  {
    ask(f.ops);
    f.object->close();
    if (files_.size() < 6) open(); // reuses its number
  }

  void moved(file& f, kind k, std::size_t& position, const unsigned char* data, std::size_t n)
  {
    if (k == kind::read)
      world_.claim(!f.model.known() || f.model.holds(position, data, n),
                   "a read did not get what is at the file's position");
    else
      f.model.wrote(position, data, n);
    position += n;
  }
  void check_position(file& f)
  {
    error_code ec;
    const std::uint64_t is = f.object->seek(0, asio::file_base::seek_cur, ec);
    world_.claim(!ec && is == *f.position, "the file's position is wrong");
    world_.claim(f.model.right(), wrong);
  }

  std::vector<std::unique_ptr<file>> files_;
};

#endif // ASIO_URING_TEST_PROPERTIES_STREAM_FILES_HPP
