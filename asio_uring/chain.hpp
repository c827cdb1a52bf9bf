// asio_uring/chain.hpp: operations that the kernel performs one after the other, without returning to the
// program between them.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_CHAIN_HPP
#define ASIO_URING_CHAIN_HPP

#include <asio_uring/detail/engine/linked_requests.hpp>
#include <asio_uring/detail/object/submit.hpp>
#include <concepts>
#include <sys/uio.h>
#include <utility>
#include <vector>

namespace asio_uring {
namespace detail {

/// The entries of a chain, and what they point to.
struct chain_entries
{
  /// What an entry must transfer for the chain to go on.
  struct extent
  {
    std::size_t size = 0;
    bool reads = false;
  };

  std::vector<io_uring_sqe> entries;
  std::vector<extent> extents;
  std::vector<std::vector<iovec>> vectors;
  bool drains = false;
  std::size_t impossible = 0; // the first entry, from 1, with an offset that no file has; 0: none
};

/// A chain as an operation: submitted as a whole, completed when all of its entries are.
class chain_submission
{
public:
  static constexpr lane_kind lane = lane_kind::none;
  static constexpr preference preferred = preference::always_submitted;

  explicit chain_submission(chain_entries&& all) : all_(std::move(all)), links_(all_.entries) {}

  std::optional<int> refused(const ring& r) const noexcept
  {
    const std::size_t size = all_.entries.size();
    if (size == 0) return result_of(misuse::no_operation);
    if (size > r.entries()) return result_of(misuse::too_many, size);
    if (all_.impossible) return result_of(misuse::offset, all_.impossible);
    for (std::size_t number = 1; number <= size; ++number) {
      io_uring_sqe sqe = all_.entries[number - 1];
      if (number != size) // a link of the last entry would bind an entry that is not the chain's
        sqe.flags &= static_cast<unsigned char>(~(IOSQE_IO_LINK | IOSQE_IO_HARDLINK));
      if (const std::optional<int> result = detail::refused(sqe, r, number)) return result;
    }
    return std::nullopt;
  }

  linked_requests& links() noexcept { return links_; }
  template <typename F>
  void for_each_late_number(F&& f) const
  {
    for (const io_uring_sqe& entry : all_.entries)
      detail::for_each_late_number(entry, true, f);
  }
  const operation** drains() noexcept { return all_.drains ? &last_before_ : nullptr; }
  std::optional<int> completed(int result, unsigned) const noexcept { return result; }

  /// `result`: an error if the chain was not submitted.
  std::tuple<error_code, std::vector<int>> arguments(int result) const
  {
    std::vector<int> results(links_.size());
    error_code error = error_of(result);
    for (unsigned i = 0; i < results.size(); ++i) {
      results[i] = links_.result(i);
      if (!error) error = error_of_entry(i);
    }
    return {error, std::move(results)};
  }

  void prepare(io_uring_sqe&, int) const noexcept {}
  int perform(int) const noexcept { return -EAGAIN; }
  bool more(int) const noexcept { return false; }

private:
  error_code error_of_entry(unsigned i) const
  {
    const int result = links_.result(i);
    const auto [size, reads] = all_.extents[i];
    if (result < 0 || static_cast<std::size_t>(result) >= size) return error_of(result);
    return reads ? error_code(asio::error::eof) : error_code(EIO, system_category());
  }

  chain_entries all_;
  linked_requests links_;
  const operation* last_before_ = nullptr;
};

/// Makes the initiation of a chain: on behalf of a file, or of an executor's context.
template <typename Executor>
auto start_of_chain(asio::basic_file<Executor>& file)
{
  return initiate_submission_on_file<Executor>(file, "chain");
}
template <typename Executor>
void is_file(asio::basic_file<Executor>&);
template <typename Object>
concept a_file = requires(Object& object)
{
  is_file(object);
};
template <submits Object>
auto start_of_chain(Object& object) requires(!a_file<Object>)
{
  return initiate_submission<executor_of_t<Object&>>(executor_of(object), "chain");
}

} // namespace detail

/// Operations in the order in which the kernel performs them; made by chain().
/**
 * Each operation starts when the one before it has succeeded; if that fails, or transfers less than it was
 * asked to, those behind it end with ECANCELED. After hardlink() the next one starts in any case. Members
 * return the chain, so that it can be written in one expression. Until the handler is called or destroyed,
 * buffers must stay valid and files must stay open. Thread safety: an object is for one thread at a time.
 */
template <typename Start>
class operation_chain
{
public:
  /// For chain().
  explicit operation_chain(Start start) : start_(std::move(start)) {}

  /// Reads at an offset (bytes): read(2). A short read, at the end of the file, breaks the chain.
  template <detail::has_native_handle File, typename MutableBufferSequence>
  operation_chain& read_at(File& file, std::uint64_t offset, const MutableBufferSequence& buffers) &
  {
    return transfer<asio::mutable_buffer>(file.native_handle(), offset, buffers);
  }

  /// Writes at an offset (bytes): write(2).
  template <detail::has_native_handle File, typename ConstBufferSequence>
  operation_chain& write_at(File& file, std::uint64_t offset, const ConstBufferSequence& buffers) &
  {
    return transfer<asio::const_buffer>(file.native_handle(), offset, buffers);
  }

  /// Writes data and metadata to the device: fsync(2).
  template <detail::has_native_handle File>
  operation_chain& fsync(File& file) &
  {
    return add([&](io_uring_sqe& sqe) { io_uring_prep_fsync(&sqe, file.native_handle(), 0); });
  }

  /// Writes data to the device, and the metadata that is needed to read it: fdatasync(2).
  template <detail::has_native_handle File>
  operation_chain& fdatasync(File& file) &
  {
    return add(
        [&](io_uring_sqe& sqe) { io_uring_prep_fsync(&sqe, file.native_handle(), IORING_FSYNC_DATASYNC); });
  }

  /// Adds any operation that completes exactly once; see async_submit.
  /**
   * @param prepare `void prepare(io_uring_sqe&)`, called at once. If it throws, the chain is unchanged. The
   * chain sets the links: a link on its last operation, or IOSQE_IO_DRAIN, makes async_run() fail with
   * errc::invalid_argument.
   */
  template <typename Prepare>
  operation_chain& add(Prepare prepare) &
  {
    io_uring_sqe sqe{};
    prepare(sqe);
    return append(sqe, {});
  }

  /// Has the next operation start even if the last one added fails.
  operation_chain& hardlink() & noexcept
  {
    hard_ = true;
    return *this;
  }

  /// Has the chain start when all operations that were started before it have ended: those of the same file,
  /// or without one those of the same context. Later operations do not wait for it.
  /**
   * The kernel's own IOSQE_IO_DRAIN would wait for everything on the ring, the polls of idle sockets
   * included.
   */
  operation_chain& drain() & noexcept
  {
    all_.drains = true;
    return *this;
  }

  /// The same functions for a temporary chain. If it is not run, its operations are lost.
  ///@{
  template <detail::has_native_handle File, typename MutableBufferSequence>
  [[nodiscard("async_run() performs it")]] operation_chain&& read_at(File& file, std::uint64_t offset,
                                                                     const MutableBufferSequence& buffers) &&
  {
    return std::move(read_at(file, offset, buffers));
  }
  template <detail::has_native_handle File, typename ConstBufferSequence>
  [[nodiscard("async_run() performs it")]] operation_chain&& write_at(File& file, std::uint64_t offset,
                                                                      const ConstBufferSequence& buffers) &&
  {
    return std::move(write_at(file, offset, buffers));
  }
  template <detail::has_native_handle File>
  [[nodiscard("async_run() performs it")]] operation_chain&& fsync(File& file) &&
  {
    return std::move(fsync(file));
  }
  template <detail::has_native_handle File>
  [[nodiscard("async_run() performs it")]] operation_chain&& fdatasync(File& file) &&
  {
    return std::move(fdatasync(file));
  }
  template <typename Prepare>
  [[nodiscard("async_run() performs it")]] operation_chain&& add(Prepare prepare) &&
  {
    return std::move(add(std::move(prepare)));
  }
  [[nodiscard("async_run() performs it")]] operation_chain&& hardlink() && noexcept
  {
    return std::move(hardlink());
  }
  [[nodiscard("async_run() performs it")]] operation_chain&& drain() && noexcept
  {
    return std::move(drain());
  }
  ///@}

  /// Returns the number of operations.
  std::size_t size() const noexcept { return all_.entries.size(); }

  /// Performs the chain, and empties the object.
  /**
   * @param token Completion signature `void(error_code, std::vector<int>)`: the error of the first operation
   * that did not do all it was asked to, and the kernel's result of each: a number of bytes, or a negative
   * errno, -ECANCELED for those that were not performed. The error of a short read is `eof`, of a short write
   * EIO.
   *
   * Cancellation: terminal, partial and total; on behalf of a file also its cancel() and close(). The
   * operation in progress is cancelled; those behind it are not performed, not even after a hardlink().
   * Errors: the kernel's; eof; errc::invalid_argument, of misuse_category(), for no operation, more than the
   * ring's entries, an offset beyond 2^63 - 1, or an operation that does not complete exactly once: the
   * message says which; operation_not_supported if the kernel lacks an opcode; bad_descriptor for a file that
   * is not open. Thread safety: without a file, may be called by any thread. Since Linux 5.11.
   */
  template <asio::completion_token_for<void(error_code, std::vector<int>)> Token =
                asio::default_completion_token_t<typename Start::executor_type>>
  auto async_run(Token&& token = {})
  {
    hard_ = false;
    return asio::async_initiate<Token, void(error_code, std::vector<int>)>(
        start_, token,
        [all = std::exchange(all_, {})]() mutable { return detail::chain_submission(std::move(all)); });
  }

private:
  template <typename Buffer, typename Buffers>
  operation_chain& transfer(int fd, std::uint64_t offset, const Buffers& buffers)
  {
    constexpr bool reads = std::is_same_v<Buffer, asio::mutable_buffer>;
    std::vector<iovec> vectors;
    std::size_t size = 0;
    const auto end = asio::buffer_sequence_end(buffers);
    for (auto it = asio::buffer_sequence_begin(buffers); it != end; ++it) {
      const Buffer buffer(*it);
      vectors.push_back({const_cast<void*>(buffer.data()), buffer.size()});
      size += buffer.size();
    }
    io_uring_sqe sqe{};
    const auto count = static_cast<unsigned>(vectors.size());
    if (reads)
      io_uring_prep_readv(&sqe, fd, vectors.data(), count, offset);
    else
      io_uring_prep_writev(&sqe, fd, vectors.data(), count, offset);
    all_.vectors.push_back(std::move(vectors)); // the entry points to the elements, which do not move
    append(sqe, {size, reads});
    if (!all_.impossible && !detail::is_offset(offset)) all_.impossible = all_.entries.size();
    return *this;
  }

  // Inlined into the expression of a long chain, g++ 12 loses track of the vectors' sizes and warns.
  [[gnu::noinline]] operation_chain& append(const io_uring_sqe& sqe,
                                            const detail::chain_entries::extent& extent)
  {
    all_.extents.resize(all_.entries.size()); // push_back of an entry may have thrown before
    all_.extents.push_back(extent);
    all_.entries.push_back(sqe);
    if (const auto size = all_.entries.size(); size > 1)
      all_.entries[size - 2].flags |= hard_ ? IOSQE_IO_HARDLINK : IOSQE_IO_LINK;
    hard_ = false;
    return *this;
  }

  Start start_;
  detail::chain_entries all_;
  bool hard_ = false;
};

/// Begins a chain of operations.
/**
 * @param object A file, whose cancel() and close() end the chain; or an execution context, an executor, or
 * another I/O object, whose executor is used.
 *
 *     co_await chain(file).write_at(file, 0, record).fdatasync(file).async_run(use_awaitable);
 */
template <detail::submits Object>
[[nodiscard("async_run() performs it")]] auto chain(Object&& object)
{
  return operation_chain(detail::start_of_chain(object));
}

} // namespace asio_uring

#endif // ASIO_URING_CHAIN_HPP
