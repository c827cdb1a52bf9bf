// Chat server for line-based clients such as nc: the first line is the name, every further line goes to all
// others.
// "/who" lists the names, "/quit" leaves.
//
// All connections share the room, so all code runs on one strand. A client that does not read costs a bounded
// amount of memory: lines that do not fit into its outbox are skipped, and the client is told how many.
//
// Usage: chat_server [address] port [threads]

#include "command_line.hpp"
#include "serving.hpp"

#include <boost/asio.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr std::size_t longest_line = 2048;
constexpr std::size_t longest_name = 32;
constexpr std::size_t outbox_limit = 64 * 1024;
constexpr auto longest_farewell = std::chrono::seconds(3);

class participant;

class room
{
public:
  void enter(std::shared_ptr<participant> who) { all_.insert(std::move(who)); }
  void leave(const std::shared_ptr<participant>& who) { all_.erase(who); }
  void tell_others(const participant& speaker, const std::string& line);
  void close();
  bool has(std::string_view name) const;
  std::string names() const;

private:
  std::set<std::shared_ptr<participant>> all_;
};

class participant : public std::enable_shared_from_this<participant>
{
public:
  participant(tcp::socket socket, room& room)
      : socket_(std::move(socket)),
        outbox_filled_(socket_.get_executor()),
        farewell_(socket_.get_executor()),
        room_(room)
  {
    outbox_filled_.expires_at(asio::steady_timer::time_point::max());
    // A small send buffer: data for a client that does not read should wait in the outbox, which is bounded.
    error_code ignored;
    socket_.set_option(asio::socket_base::send_buffer_size(outbox_limit), ignored);
    socket_.set_option(tcp::no_delay(true), ignored);
  }

  const std::string& name() const { return name_; }

  void send(const std::string& line)
  {
    if (outbox_.size() + line.size() > outbox_limit)
      ++skipped_;
    else
      outbox_ += line;
    outbox_filled_.cancel();
  }

  asio::awaitable<void> run()
  {
    asio::co_spawn(socket_.get_executor(), write_all(shared_from_this()), asio::detached);
    co_await read_all();

    room_.leave(shared_from_this());
    if (!name_.empty()) room_.tell_others(*this, "* " + name_ + " left\n");

    leaving_ = true;
    outbox_filled_.cancel();
    farewell_.expires_after(longest_farewell);
    farewell_.async_wait([self = shared_from_this()](error_code cancelled) {
      error_code ignored;
      if (!cancelled) self->socket_.close(ignored);
    });
    co_await discard_input();
    all_read_ = true;
    if (all_written_) farewell_.cancel();
  }

  // Ends reading as if the client had ended the connection.
  void dismiss()
  {
    send("* the server is stopping\n");
    error_code ignored;
    socket_.shutdown(tcp::socket::shutdown_receive, ignored);
  }

private:
  asio::awaitable<void> read_all()
  {
    send("* your name?\n");
    std::string input;
    for (;;) {
      const auto [error, length] = co_await asio::async_read_until(
          socket_, asio::dynamic_buffer(input, longest_line), '\n', nothrow_awaitable);
      if (error == asio::error::not_found) send("* that line is too long, good bye\n");
      if (error) co_return;
      std::string line = input.substr(0, length);
      input.erase(0, length);
      std::erase_if(line, [](unsigned char c) { return c < ' ' || c == 127; });
      if (!handle(line)) co_return;
    }
  }

  // False when the participant leaves.
  bool handle(const std::string& line)
  {
    if (line == "/quit") {
      send("* good bye\n");
      return false;
    }
    if (line == "/who")
      send("* here: " + room_.names() + "\n");
    else if (name_.empty())
      take_name(line);
    else if (!line.empty())
      room_.tell_others(*this, name_ + ": " + line + "\n");
    return true;
  }

  void take_name(const std::string& name)
  {
    if (name.empty() || name.size() > longest_name)
      return send("* a name has 1 to " + std::to_string(longest_name) + " characters\n");
    if (room_.has(name)) return send("* that name is taken\n");
    name_ = name;
    send("* welcome, " + name_ + "; here: " + room_.names() + "\n");
    room_.tell_others(*this, "* " + name_ + " joined\n");
  }

  // Closing a socket with unread input resets the connection, and the last lines would be lost.
  asio::awaitable<void> discard_input()
  {
    std::array<char, 1024> input;
    for (error_code failed; !failed;) {
      const auto [error, length] = co_await socket_.async_read_some(asio::buffer(input), nothrow_awaitable);
      failed = error;
    }
  }

  asio::awaitable<void> write_all(std::shared_ptr<participant> /* keeps this alive */)
  {
    error_code failed;
    while (!failed) {
      std::string lines = std::exchange(outbox_, {});
      if (const auto skipped = std::exchange(skipped_, 0))
        lines += "* " + std::to_string(skipped) + " lines skipped\n";
      if (lines.empty()) {
        if (leaving_) break;
        co_await outbox_filled_.async_wait(nothrow_awaitable);
        continue;
      }
      const auto [error, length] =
          co_await asio::async_write(socket_, asio::buffer(lines), nothrow_awaitable);
      failed = error;
    }
    all_written_ = true;
    if (all_read_) farewell_.cancel();
    error_code ignored;
    socket_.shutdown(tcp::socket::shutdown_send, ignored);
  }

  tcp::socket socket_;
  asio::steady_timer outbox_filled_;
  asio::steady_timer farewell_;
  room& room_;
  std::string name_;
  std::string outbox_;
  std::size_t skipped_ = 0;
  bool leaving_ = false;
  bool all_read_ = false;
  bool all_written_ = false;
};

void room::tell_others(const participant& speaker, const std::string& line)
{
  for (const auto& each : all_)
    if (each.get() != &speaker && !each->name().empty()) each->send(line);
}

void room::close()
{
  for (const auto& each : all_)
    each->dismiss();
}

bool room::has(std::string_view name) const
{
  return std::any_of(all_.begin(), all_.end(), [&](const auto& each) { return each->name() == name; });
}

std::string room::names() const
{
  std::string result;
  for (const auto& each : all_)
    if (!each->name().empty()) result += (result.empty() ? "" : ", ") + each->name();
  return result;
}

} // namespace

int main(int argc, char** argv)
{
  return run_example("chat_server", "[address] port [threads]", [&] {
    const server_arguments options(argc, argv);
    asio::io_context context(options.threads);
    const auto strand = asio::make_strand(context);

    room lobby;
    tcp::acceptor acceptor = listen_on(strand, options);
    const auto serve = [&](tcp::socket socket) {
      auto who = std::make_shared<participant>(std::move(socket), lobby);
      lobby.enter(who);
      asio::co_spawn(
          strand, [who] { return who->run(); }, asio::detached);
    };
    asio::co_spawn(strand, accept_all("chat_server", acceptor, serve), asio::detached);

    // No context.stop(): run() returns when the last participant has been dismissed.
    asio::signal_set signals(strand, SIGINT, SIGTERM);
    signals.async_wait([&](error_code, int) {
      error_code ignored;
      acceptor.close(ignored);
      lobby.close();
    });
    run_in_threads(context, options.threads);
  });
}
