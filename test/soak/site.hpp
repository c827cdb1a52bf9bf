// test/soak/site.hpp: a context with servers and clients of streams, datagrams and files.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_SOAK_SITE_HPP
#define ASIO_URING_TEST_SOAK_SITE_HPP

#include "client.hpp"
#include "server.hpp"

#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <optional>
#include <thread>
#include <vector>

namespace soak {

class site
{
  using tcp_socket = asio::basic_stream_socket<tcp, strand>;
  using local_socket = asio::basic_stream_socket<local, strand>;

  ledger book_;
  std::atomic<bool> closing_{false};
  std::atomic<int> busy_{0}; // clients of any kind
  std::filesystem::path directory_;
  std::optional<asio::io_context> context_;
  std::vector<std::thread> threads_;
  tcp::endpoint tcp_;
  local::endpoint local_;
  udp::endpoint udp_;

  bool closes() const { return closing_ && busy_ == 0; }
  strand make_strand() { return asio::make_strand(*context_); }

  // --- streams

  template <class Protocol>
  struct listener
  {
    typename Protocol::acceptor acceptor;
    asio::steady_timer timer;
    listener(const strand& s, const typename Protocol::endpoint& at) : acceptor(s, at), timer(s) {}
  };

  template <class Protocol>
  void accept(std::shared_ptr<listener<Protocol>> l)
  {
    const strand s = make_strand();
    auto accepted = [this, l, s](error_code e, auto socket) {
      if (!e) {
        auto session = std::make_shared<server<decltype(socket)>>(s, book_, std::move(socket));
        asio::post(s, [session] { session->start(); });
      } else if (e == asio::error::no_descriptors) {
        ++total.no_descriptor;
        auto pause = std::make_shared<asio::steady_timer>(l->acceptor.get_executor(), 5ms);
        pause->async_wait([this, l, pause](error_code) { accept(l); });
        return;
      } else if (e != asio::error::operation_aborted && l->acceptor.is_open()) {
        report(total.lost, 0, "accept: " + e.message());
      }
      if (l->acceptor.is_open()) accept(l);
    };
    if (l->acceptor.is_open())
      l->acceptor.async_accept(s, counted<decltype(accepted)>{operation(book_), std::move(accepted)});
  }

  /// Cancels now and then, and closes at the end.
  template <class Object>
  void disturb(std::shared_ptr<Object> owner, auto& object, asio::steady_timer& timer)
  {
    timer.expires_after(17ms);
    timer.async_wait([this, owner, &object, &timer](error_code) {
      ++total.cancels;
      closes() ? object.close() : object.cancel();
      if (object.is_open()) disturb(owner, object, timer);
    });
  }

  template <class Protocol>
  auto listen(const typename Protocol::endpoint& at)
  {
    const strand s = make_strand();
    auto l = std::make_shared<listener<Protocol>>(s, at);
    asio::post(s, [this, l] {
      accept(l);
      disturb(l, l->acceptor, l->timer);
    });
    return l->acceptor.local_endpoint();
  }

  void start_client(unsigned kind)
  {
    const strand s = make_strand();
    auto done = [this, kind](bool refused) {
      if (closing_) {
        --busy_;
        return;
      }
      auto pause = std::make_shared<asio::steady_timer>(*context_, refused ? 10ms : 0ms);
      pause->async_wait([this, kind, pause](error_code) { start_client(kind); });
    };
    const std::uint32_t id = next_session++;
    switch (kind % 4) {
    case 0: {
      auto c = std::make_shared<client<pipe_ends>>(s, book_, done, id);
      return asio::post(s, [c] { c->start_pipe(); });
    }
    case 1: {
      auto c = std::make_shared<client<local_socket>>(s, book_, done, id);
      return asio::post(s, [c, to = local_] { c->start(to); });
    }
    default:
      auto c = std::make_shared<client<tcp_socket>>(s, book_, done, id);
      asio::post(s, [c, to = tcp_] { c->start(to); });
    }
  }

  // --- datagrams: a single one is never dropped on the loopback device, so it must come back once

  struct datagram_socket
  {
    udp::socket socket;
    asio::steady_timer timer, pause;
    std::vector<char> data = std::vector<char>(65536);
    udp::endpoint sender;
    datagram_socket(const strand& s, const udp::endpoint& at) : socket(s, at), timer(s), pause(s) {}
  };

  asio::awaitable<void> echo_datagrams(std::shared_ptr<datagram_socket> s)
  {
    for (;;) {
      operation receiving(book_);
      auto [e, n] = co_await s->socket.async_receive_from(asio::buffer(s->data), s->sender, awaited);
      receiving.complete();
      if (!s->socket.is_open()) co_return;
      if (e == asio::error::operation_aborted) continue;
      do {
        operation sending(book_);
        std::tie(e, std::ignore) =
            co_await s->socket.async_send_to(asio::buffer(s->data, n), s->sender, awaited);
        sending.complete();
      } while (e == asio::error::operation_aborted);
    }
  }

  asio::awaitable<void> exchange_datagrams(std::shared_ptr<datagram_socket> s)
  {
    const numbered_stream text(next_session++);
    random_engine random(text.id());
    std::vector<char> out(9000);
    for (std::uint64_t at = 0; !closing_;) {
      const std::size_t size = random_size(random, 13);
      text.copy(at, out.data(), size);
      error_code e;
      std::size_t n = 0;
      do {
        operation sending(book_);
        std::tie(e, n) = co_await s->socket.async_send_to(cut(asio::const_buffer(out.data(), size), random),
                                                          udp_, awaited);
        sending.complete();
      } while (e == asio::error::operation_aborted);
      const auto begin = clock_type::now();
      do {
        operation receiving(book_);
        std::tie(e, n) = co_await s->socket.async_receive_from(asio::buffer(s->data), s->sender, awaited);
        receiving.complete();
        if (e == asio::error::operation_aborted) ++total.aborted;
      } while (e == asio::error::operation_aborted && clock_type::now() - begin < patience);
      if (e) report(total.lost, text.id(), "datagram: " + e.message());
      if (n != size || !text.matches(at, s->data.data(), n))
        report(total.wrong, text.id(), "another datagram than was sent");
      ++total.datagrams;
      at += size;
      if (random() % 8) continue;
      operation pausing(book_);
      s->pause.expires_after(std::chrono::microseconds(random() % 4000));
      co_await s->pause.async_wait(awaited);
      pausing.complete();
    }
    --busy_;
  }

  auto ended()
  {
    auto f = [](std::exception_ptr e) {
      if (e) report(total.wrong, 0, "a coroutine ended with an exception");
    };
    return counted<decltype(f)>{operation(book_), f};
  }

  std::shared_ptr<datagram_socket> open_datagrams()
  {
    const strand s = make_strand();
    auto d = std::make_shared<datagram_socket>(s, udp::endpoint(asio::ip::address_v4::loopback(), 0));
    asio::post(s, [this, d] { disturb(d, d->socket, d->timer); });
    return d;
  }

  // --- files: what was written is read back; cancelled operations are started again

#ifdef BOOST_ASIO_HAS_FILE
  struct file_user
  {
    std::string name;
    asio::random_access_file file;
    asio::steady_timer timer, pause;
    asio::cancellation_signal signal;
    bool over = false;
    random_engine random{next_session++};
    std::vector<char> out = std::vector<char>(numbered_stream::largest), in = out;
    file_user(const strand& s, std::string n) : name(std::move(n)), file(s), timer(s), pause(s) {}
    ~file_user() { ::unlink(name.c_str()); }
  };

  void disturb_file(std::shared_ptr<file_user> f)
  {
    f->timer.expires_after(std::chrono::microseconds(f->random() % 10'000));
    f->timer.async_wait([this, f](error_code) {
      if (f->over) return;
      error_code ignored;
      switch (f->random() % 8) {
      case 0:
        f->file.close(ignored);
        break;
      case 1:
      case 2:
        ++total.cancels, f->file.cancel(ignored);
        break;
      case 3:
      case 4:
        ++total.slot_cancels, f->signal.emit(asio::cancellation_type::terminal);
      }
      disturb_file(f);
    });
  }

  asio::awaitable<void> write_and_read(std::shared_ptr<file_user> f)
  {
    const auto token = [&] { return asio::bind_cancellation_slot(f->signal.slot(), awaited); };
    while (!closing_) {
      const numbered_stream text(next_session++);
      const std::size_t size = random_size(f->random, 17);
      const std::uint64_t at = f->random() % 100'000;
      text.copy(0, f->out.data(), size);
      std::fill_n(f->in.begin(), size, '\0');
      error_code e;
      std::size_t n = 0;
      for (bool written = false, read = false; !read;) {
        if (!f->file.is_open()) {
          f->file.open(f->name, asio::file_base::read_write | asio::file_base::create, e);
          if (e) {
            if (e == asio::error::no_descriptors)
              ++total.no_descriptor;
            else
              report(total.lost, text.id(), "open: " + e.message());
            f->pause.expires_after(5ms);
            co_await f->pause.async_wait(awaited);
            continue;
          }
        }
        const asio::const_buffer out(f->out.data(), size);
        const asio::mutable_buffer in(f->in.data(), size);
        operation transferring(book_);
        std::tie(e, n) = written ? co_await asio::async_read_at(f->file, at, cut(in, f->random), token())
                                 : co_await asio::async_write_at(f->file, at, cut(out, f->random), token());
        transferring.complete();
        if (e == asio::error::operation_aborted || (e && !f->file.is_open())) {
          ++total.aborted;
          continue;
        }
        if (e || n != size)
          report(total.lost, text.id(), (written ? "file read: " : "file write: ") + e.message());
        read = written;
        written = true;
      }
      if (!text.matches(0, f->in.data(), size))
        report(total.wrong, text.id(), "a file holds other bytes than were written");
      total.bytes += 2 * size;
      ++total.blocks;
      f->pause.expires_after(1ms);
      co_await f->pause.async_wait(awaited);
    }
    f->over = true;
    f->timer.cancel();
    --busy_;
  }

  void start_files(unsigned count)
  {
    std::string pattern = (std::filesystem::temp_directory_path() / "soak.XXXXXX").string();
    if (!::mkdtemp(pattern.data())) std::abort();
    directory_ = pattern;
    for (unsigned i = 0; i != count; ++i) {
      ++busy_;
      const strand s = make_strand();
      auto f = std::make_shared<file_user>(s, (directory_ / std::to_string(i)).string());
      asio::post(s, [this, f] { disturb_file(f); });
      asio::co_spawn(s, write_and_read(f), ended());
    }
  }
#else
  void start_files(unsigned) {} // stock Asio has no files on epoll
#endif

public:
  site(int threads, unsigned clients)
  {
    ++total.contexts;
    context_.emplace(threads == 1 ? 1 : BOOST_ASIO_CONCURRENCY_HINT_DEFAULT);
    static unsigned names = 0;
    tcp_ = listen<tcp>({asio::ip::address_v4::loopback(), 0});
    local_ = listen<local>(std::string(1, '\0') + "soak." + std::to_string(::getpid()) + "." +
                           std::to_string(++names));
    auto echo = open_datagrams();
    udp_ = echo->socket.local_endpoint();
    asio::co_spawn(echo->socket.get_executor(), echo_datagrams(echo), ended());
    for (unsigned i = 0; i != clients / 8; ++i) {
      ++busy_;
      auto d = open_datagrams();
      asio::co_spawn(d->socket.get_executor(), exchange_datagrams(d), ended());
    }
    start_files(clients / 8);
    for (unsigned i = 0; i != clients; ++i) {
      ++busy_;
      start_client(i);
    }
    for (int i = 0; i != threads; ++i)
      threads_.emplace_back([this] { context_->run(); });
  }
  site(const site&) = delete;

  /// Lets all clients finish; then run() must return by itself.
  void finish()
  {
    closing_ = true;
    const auto limit = clock_type::now() + 3 * patience;
    while (!context_->stopped() && clock_type::now() < limit)
      std::this_thread::sleep_for(1ms);
    if (!context_->stopped()) {
      report(total.lost, 0, "run() does not return");
      context_->stop();
    }
    leave();
    if (book_.destroyed)
      report(total.wrong, 0, std::to_string(book_.destroyed) + " handlers were not called");
  }

  /// Stops in the middle, so that the context is destroyed as it is.
  void abandon()
  {
    ++total.contexts_abandoned;
    closing_ = true;
    context_->stop();
    leave();
  }

private:
  void leave()
  {
    for (auto& t : threads_)
      t.join();
    context_.reset();
    if (!directory_.empty()) std::filesystem::remove_all(directory_);
    if (book_.started != book_.completed + book_.destroyed)
      report(total.wrong, 0,
             std::to_string(book_.started) + " operations were started, " + std::to_string(book_.completed) +
                 " handlers called, " + std::to_string(book_.destroyed) + " destroyed");
    total.operations += book_.started;
    total.destroyed += book_.destroyed;
  }
};

} // namespace soak

#endif // ASIO_URING_TEST_SOAK_SITE_HPP
