// Redis-compatible server that keeps its keys in memory, for redis-cli, redis-benchmark and libraries of
// clients (RESP2).
//
//   PING [message]   ECHO message   SET key value [NX] [EX seconds]   GET key   DEL key...   EXISTS key...
//   INCR key   EXPIRE key seconds   TTL key   KEYS pattern   DBSIZE   QUIT
//
// Any other command, HELLO and COMMAND too, is answered as Redis answers what it does not know; clients then
// go on without. Requests that have arrived together are answered with one write, or several if the answers
// are large. A request has at most 1 MiB; the number of keys is not bounded.
//
// Usage: mini_redis [address] port [threads]

#include "command_line.hpp"
#include "resp.hpp"
#include "serving.hpp"

#include <boost/asio.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <mutex>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using resp::replies;
using arguments = std::span<const std::string_view>;

namespace {

constexpr std::size_t enough_replies = 256 * 1024; // bytes: then they are sent before the next is made

/// Whether the text matches the pattern, in which '*' is any text, and '?' any character.
bool matches(std::string_view pattern, std::string_view text)
{
  std::size_t p = 0, t = 0, star = pattern.npos, resumed = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resumed = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p;
      ++t;
    } else if (star != pattern.npos) {
      p = star + 1; // the last '*' takes one character more
      t = ++resumed;
    } else
      return false;
  }
  return pattern.find_first_not_of('*', p) == pattern.npos;
}

std::string lower(std::string_view text)
{
  std::string result(text);
  for (char& c : result)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return result;
}

/// What goes wrong with one command. The text is the reply, without its "ERR".
struct command_error : std::runtime_error
{
  using std::runtime_error::runtime_error;
};

std::int64_t integer(std::string_view text)
{
  if (const auto value = resp::integer(text)) return *value;
  throw command_error("value is not an integer or out of range");
}

/// The keys and the commands on them. Not thread-safe.
class database
{
public:
  /// Executes the command and adds its reply. Returns false if the connection is to end.
  bool execute(arguments words, replies& to)
  {
    const std::string name = lower(words[0]);
    if (name == "quit") {
      to.simple("OK");
      return false;
    }
    remove_expired();
    const auto found = std::find_if(commands.begin(), commands.end(),
                                    [&](const command& each) { return each.name == name; });
    try {
      if (found == commands.end()) throw command_error(unknown(words));
      if (words.size() < found->least || words.size() > found->most)
        throw command_error("wrong number of arguments for '" + name + "' command");
      (this->*found->run)(words, to);
    } catch (const command_error& error) {
      to.error(std::string("ERR ") + error.what());
    }
    return true;
  }

private:
  using clock = std::chrono::steady_clock;
  using expiries = std::multimap<clock::time_point, const std::string*>; // the keys are those of keys_

  struct entry
  {
    std::string value;
    expiries::iterator expiry;
  };

  struct hash : std::hash<std::string_view>
  {
    using is_transparent = void;
  };
  using entries = std::unordered_map<std::string, entry, hash, std::equal_to<>>;

  struct command
  {
    std::string_view name;
    std::size_t least, most; // words, the name included
    void (database::*run)(arguments, replies&);
  };
  static const std::array<command, 11> commands;

  static std::string unknown(arguments words)
  {
    constexpr std::size_t longest = 128;
    std::string quoted;
    for (const std::string_view each : words.subspan(1)) {
      if (quoted.size() >= longest) break;
      quoted.append("'").append(each.substr(0, longest - quoted.size())).append("' ");
    }
    return "unknown command '" + std::string(words[0].substr(0, longest)) +
           "', with args beginning with: " + quoted;
  }

  // ---- commands

  void ping(arguments words, replies& to)
  {
    if (words.size() == 1)
      to.simple("PONG");
    else
      to.bulk(words[1]);
  }

  void echo(arguments words, replies& to) { to.bulk(words[1]); }

  void set(arguments words, replies& to)
  {
    bool only_new = false;
    auto expiry = clock::time_point::max();
    for (std::size_t i = 3; i < words.size(); ++i) {
      const std::string option = lower(words[i]);
      if (option == "nx")
        only_new = true;
      else if (option == "ex" && i + 1 < words.size() && expiry == clock::time_point::max()) {
        const std::int64_t seconds = integer(words[++i]);
        expiry = time_after(seconds, "set");
        if (seconds <= 0) throw command_error("invalid expire time in 'set' command");
      } else
        throw command_error("syntax error");
    }
    const auto [at, added] = entries_.try_emplace(std::string(words[1]), entry{{}, expiries_.end()});
    if (only_new && !added) return to.null();
    at->second.value = words[2];
    expire_at(*at, expiry);
    to.simple("OK");
  }

  void get(arguments words, replies& to)
  {
    if (const auto at = entries_.find(words[1]); at != entries_.end())
      to.bulk(at->second.value);
    else
      to.null();
  }

  void del(arguments words, replies& to)
  {
    std::int64_t count = 0;
    for (const std::string_view key : words.subspan(1))
      if (const auto at = entries_.find(key); at != entries_.end()) {
        remove(at);
        ++count;
      }
    to.integer(count);
  }

  void exists(arguments words, replies& to)
  {
    to.integer(
        std::count_if(words.begin() + 1, words.end(), [&](auto key) { return entries_.contains(key); }));
  }

  void incr(arguments words, replies& to)
  {
    const auto at = entries_.find(words[1]);
    const std::int64_t value = at == entries_.end() ? 0 : integer(at->second.value);
    if (value == std::numeric_limits<std::int64_t>::max())
      throw command_error("increment or decrement would overflow");
    if (at == entries_.end())
      entries_.emplace(words[1], entry{"1", expiries_.end()});
    else
      at->second.value = std::to_string(value + 1);
    to.integer(value + 1);
  }

  void expire(arguments words, replies& to)
  {
    const std::int64_t seconds = integer(words[2]);
    const auto expiry = time_after(seconds, "expire");
    const auto at = entries_.find(words[1]);
    if (at == entries_.end()) return to.integer(0);
    if (seconds > 0)
      expire_at(*at, expiry);
    else
      remove(at);
    to.integer(1);
  }

  void ttl(arguments words, replies& to)
  {
    const auto at = entries_.find(words[1]);
    if (at == entries_.end()) return to.integer(-2);
    if (at->second.expiry == expiries_.end()) return to.integer(-1);
    to.integer(std::chrono::round<std::chrono::seconds>(at->second.expiry->first - clock::now()).count());
  }

  void keys(arguments words, replies& to)
  {
    if (words[1].find_first_of("[\\") != std::string_view::npos)
      throw command_error("a pattern of mini_redis has '*' and '?', and neither '[' nor '\\'");
    std::vector<std::string_view> found;
    for (const auto& each : entries_)
      if (matches(words[1], each.first)) found.push_back(each.first);
    to.array(found.size());
    for (const std::string_view key : found)
      to.bulk(key);
  }

  void dbsize(arguments, replies& to) { to.integer(static_cast<std::int64_t>(entries_.size())); }

  // ---- expiry

  static clock::time_point time_after(std::int64_t seconds, const std::string& command)
  {
    constexpr std::int64_t most = 4'000'000'000; // the clock counts nanoseconds in 64 bits
    if (seconds > most) throw command_error("invalid expire time in '" + command + "' command");
    return clock::now() + std::chrono::seconds(std::max<std::int64_t>(seconds, 0));
  }

  void expire_at(entries::value_type& each, clock::time_point when)
  {
    if (each.second.expiry != expiries_.end()) expiries_.erase(each.second.expiry);
    each.second.expiry =
        when == clock::time_point::max() ? expiries_.end() : expiries_.emplace(when, &each.first);
  }

  void remove(entries::iterator at)
  {
    if (at->second.expiry != expiries_.end()) expiries_.erase(at->second.expiry);
    entries_.erase(at);
  }

  // Needs no timer, for a key that nobody asks for may stay.
  void remove_expired()
  {
    while (!expiries_.empty() && expiries_.begin()->first <= clock::now())
      remove(entries_.find(*expiries_.begin()->second));
  }

  entries entries_;
  expiries expiries_; // of the entries that have one; for others it is the end
};

constexpr std::size_t any_number = resp::most_arguments;

const std::array<database::command, 11> database::commands{{
    {"ping", 1, 2, &database::ping},
    {"echo", 2, 2, &database::echo},
    {"set", 3, any_number, &database::set},
    {"get", 2, 2, &database::get},
    {"del", 2, any_number, &database::del},
    {"exists", 2, any_number, &database::exists},
    {"incr", 2, 2, &database::incr},
    {"expire", 3, 3, &database::expire},
    {"ttl", 2, 2, &database::ttl},
    {"keys", 2, 2, &database::keys},
    {"dbsize", 1, 1, &database::dbsize},
}};

/// The database of all connections, which may be served by several threads.
class server
{
public:
  /// Serves a connection until it ends.
  asio::awaitable<void> serve(tcp::socket socket)
  {
    std::array<char, 16 * 1024> block;
    std::string input;
    for (;;) {
      replies to;
      const next_step next = answer(input, to);
      if (!to.bytes().empty()) {
        const auto [error, size] =
            co_await asio::async_write(socket, asio::buffer(to.bytes()), nothrow_awaitable);
        if (error) co_return;
      }
      if (next == next_step::end) co_return;
      if (next == next_step::read) {
        const auto [error, size] = co_await socket.async_read_some(asio::buffer(block), nothrow_awaitable);
        if (error) co_return;
        input.append(block.data(), size);
      }
    }
  }

private:
  enum class next_step
  {
    read,
    answer_more,
    end
  };

  /// Answers the requests that are complete, and removes them from the input, until there are replies enough.
  next_step answer(std::string& input, replies& to)
  {
    const std::lock_guard lock(mutex_);
    resp::arguments words;
    std::size_t done = 0;
    auto next = next_step::answer_more;
    try {
      while (next == next_step::answer_more && to.bytes().size() < enough_replies) {
        const std::size_t size = resp::parse(std::string_view(input).substr(done), words);
        if (size == 0)
          next = next_step::read;
        else if (!words.empty() && !database_.execute(words, to))
          next = next_step::end;
        done += size;
      }
    } catch (const resp::protocol_error& error) {
      to.error(std::string("ERR Protocol error: ") + error.what());
      next = next_step::end;
    }
    input.erase(0, done);
    return next;
  }

  std::mutex mutex_;
  database database_;
};

} // namespace

int main(int argc, char** argv)
{
  return run_example("mini_redis", "[address] port [threads]", [&] {
    const server_arguments options(argc, argv);
    server all;
    asio::io_context context(options.threads);

    asio::signal_set signals(context, SIGINT, SIGTERM);
    signals.async_wait([&](error_code, int) { context.stop(); });

    tcp::acceptor acceptor = listen_on(context.get_executor(), options);
    const auto serve = [&](tcp::socket socket) {
      asio::co_spawn(context, all.serve(std::move(socket)), asio::detached);
    };
    asio::co_spawn(context, accept_all("mini_redis", acceptor, serve), asio::detached);
    run_in_threads(context, options.threads);
  });
}
