// test/simulation/performing.ipp: how a simulated kernel performs requests.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_SIMULATION_PERFORMING_IPP
#define ASIO_URING_TEST_SIMULATION_PERFORMING_IPP

/// Lets a request go on. True if that had a result; the request may be gone then. `certain`: nothing else
/// goes on.
inline bool simulated_kernel::look(iterator r, bool certain)
{
  if (!r->started) return start(r), true;
  const io_uring_sqe& entry = r->entry;
  if (entry.opcode == IORING_OP_TIMEOUT)
    return r->cancelled ? end(r, -ECANCELED) : r->time <= simulated_clock::time ? end(r, -ETIME) : false;
  if (r->cancelled && random_.chance(500)) return end(r, given_up(*r));
  if (r->thread != this_thread() && !r->needs_worker()) {
    if (ended_threads_.contains(r->thread)) return r->has_event() && end(r, given_up(*r));
    if (!random_.chance(odds_.told ? (certain ? 1000 : odds_.told) : 0)) return false;
  }
  if (random_.chance(odds_.thread_exits)) return end(r, given_up(*r));
  if (r->needs_worker() && !worker()) return end(r, -ECANCELED);
  switch (entry.opcode) {
  case IORING_OP_NOP:
    return end(r, 0);
  case IORING_OP_POLL_ADD:
    return r->is_multishot_poll() ? look_for_edge(r) : look_for_event(r);
  case IORING_OP_ACCEPT:
    return accept(r);
  case IORING_OP_CONNECT:
    if (random_.chance(odds_.interrupted)) return end(r, -EINTR);
    return connect(r);
  case IORING_OP_RECV:
    if (r->chooses_buffer()) return receive_into_chosen(r);
    [[fallthrough]];
  case IORING_OP_SEND:
  case IORING_OP_RECVMSG:
  case IORING_OP_SENDMSG:
    return transfer(r);
  case IORING_OP_READ:
  case IORING_OP_READV:
  case IORING_OP_WRITE:
  case IORING_OP_WRITEV:
  case IORING_OP_FSYNC:
    if (random_.chance(odds_.interrupted)) return end(r, -EINTR);
    if (random_.chance(odds_.no_memory)) return end(r, -ENOMEM);
    return end(r, perform_partly(*r));
  case IORING_OP_SPLICE:
    if (random_.chance(odds_.interrupted)) return end(r, given_up(*r));
    return splice(r);
  default:
    outside_.fail("an unknown operation code"), std::abort();
  }
}

/// The error of a request that ends without having been performed.
inline int simulated_kernel::given_up(const request& r)
{
  return r.entry.opcode == IORING_OP_SPLICE && random_.chance(odds_.restart) ? -512 : -ECANCELED;
}
/// Whether there is a kernel thread for a request; there may be none for some time.
inline bool simulated_kernel::worker()
{
  if (without_worker_ == 0 && random_.chance(odds_.no_worker))
    without_worker_ = random_.chance(500) ? 40 : 100'000;
  return without_worker_ == 0 || --without_worker_ == 0;
}

inline unsigned simulated_kernel::with_unasked(unsigned events)
{
  return events | (random_.chance(odds_.unasked) ? POLLRDHUP : 0U);
}
inline bool simulated_kernel::look_for_event(iterator r)
{
  const unsigned asked = r->entry.poll32_events;
  if (random_.chance(odds_.no_memory)) return end(r, -ENOMEM);
  if (const int events = r->ready_events(with_unasked(asked))) return end(r, events);
  return random_.chance(odds_.spurious) && end(r, static_cast<int>(asked & (POLLIN | POLLOUT)));
}

inline bool simulated_kernel::look_for_edge(iterator r)
{
  edges_.collect();
  int events = 0;
  if (std::exchange(r->edge, false)) events = r->ready_events(with_unasked(r->entry.poll32_events));
  if (!events && random_.chance(odds_.spurious)) events = POLLIN;
  if (!events) return false;
  if (random_.chance(odds_.spurious)) events |= POLLERR; // an error that has been read meanwhile
  if (random_.chance(odds_.poll_ends)) return end(r, events);
  finish(r->entry.user_data, events, IORING_CQE_F_MORE);
  return true;
}

inline bool simulated_kernel::accept(iterator r)
{
  if (random_.chance(odds_.interrupted)) return end(r, random_.chance(500) ? -EINTR : -ECONNABORTED);
  if (random_.chance(odds_.no_descriptor)) return end(r, -EMFILE);
  bool accepted = false;
  for (; r->ready_events(POLLIN); accepted = true) {
    const int result = asio_uring::detail::perform(r->entry, false);
    if (result < 0 || !r->is_multishot() || random_.chance(odds_.multishot_ends)) return end(r, result);
    finish(r->entry.user_data, result, IORING_CQE_F_MORE);
  }
  return accepted || (r->non_blocking() && !r->is_multishot() && end(r, -EAGAIN));
}

inline bool simulated_kernel::connect(iterator r)
{
  const int flags = ::fcntl(r->file, F_GETFL);
  ::fcntl(r->file, F_SETFL, flags | O_NONBLOCK);
  const int result = asio_uring::detail::perform(r->entry, false);
  ::fcntl(r->file, F_SETFL, flags);
  return result != -EAGAIN && end(r, result);
}

inline bool simulated_kernel::transfer(iterator r)
{
  if (r->consumed) return r->ready_events(POLLOUT) && r->send_nothing() && end(r, 0);
  if (random_.chance(odds_.interrupted)) return end(r, -EINTR); // a kernel thread was told to end
  if (random_.chance(odds_.no_memory)) return end(r, random_.chance(500) ? -ENOBUFS : -ENOMEM);
  const int result = perform_partly(*r);
  if (result != -EAGAIN || r->non_blocking()) return end(r, result);
  r->consumed = r->is_send_to_local_datagram() && random_.chance(odds_.consume);
  return false;
}

/// Receives into a chosen buffer. It is looked for first, and used up only by data and by some failures.
inline bool simulated_kernel::receive_into_chosen(iterator r)
{
  const auto fail = [&](int error) {
    const bool used = queues_.first(r->entry.buf_group) && random_.chance(odds_.buffer_used);
    return end(r, error, used ? queues_.take(r->entry.buf_group) : 0);
  };
  if (random_.chance(odds_.interrupted)) return fail(-EINTR);
  if (random_.chance(odds_.no_memory)) return fail(random_.chance(500) ? -ENOBUFS : -ENOMEM);
  for (bool received = false;; received = true) {
    const io_uring_buf* const buffer = queues_.first(r->entry.buf_group);
    if (!buffer) return end(r, -ENOBUFS);
    if (!r->ready_events(POLLIN)) return received;
    const std::size_t size = random_.chance(odds_.shorten) ? 1 + random_.below(buffer->len) : buffer->len;
    const ssize_t n = ::recv(r->file, reinterpret_cast<void*>(buffer->addr), size, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN) return received;
    if (n <= 0) return fail(n < 0 ? -errno : 0);
    const unsigned taken = queues_.take(r->entry.buf_group);
    if (!r->is_multishot() || random_.chance(odds_.multishot_ends)) return end(r, static_cast<int>(n), taken);
    finish(r->entry.user_data, static_cast<int>(n), taken | IORING_CQE_F_MORE);
  }
}

inline int simulated_kernel::perform_partly(request& r)
{
  if (random_.chance(odds_.shorten) && !r.is_datagram())
    return asio_uring::detail::perform(shortened(r.entry, random_).entry, false);
  return asio_uring::detail::perform(r.entry, false);
}

inline bool simulated_kernel::splice(iterator r)
{
  io_uring_sqe entry = r->entry;
  entry.splice_flags |= SPLICE_F_NONBLOCK;
  const int result = asio_uring::detail::perform(entry, false);
  return result != -EAGAIN && end(r, result);
}

#endif // ASIO_URING_TEST_SIMULATION_PERFORMING_IPP
