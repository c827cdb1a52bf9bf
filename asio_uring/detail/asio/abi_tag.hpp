// asio_uring/detail/asio/abi_tag.hpp: tags the names of the classes that differ with as_default.hpp.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ASIO_ABI_TAG_HPP
#define ASIO_URING_DETAIL_ASIO_ABI_TAG_HPP

#include <asio_uring/config.hpp>

// In a program with as_default.hpp, Asio's socket classes differ from those in a shared library without it.
// If both had the same names, the dynamic linker would give the library the program's member functions. So
// the program's classes have an ABI tag, which the compiler makes a part of each symbol that mentions them.
// They are declared before Asio declares them, because a tag belongs to a class's first declaration.
//
//   undefined reference to `connect(asio::basic_stream_socket[abi:asio_uring_as_default]<...>&)'
//
// means: connect() takes a socket, and was compiled without as_default.hpp.
//
// any_io_executor does not differ. But its tag separates also what is instantiated for it, such as a template
// of another library with a socket as a member. Not separated are classes with such a member whose names
// mention neither.

#define ASIO_URING_TAGGED [[gnu::abi_tag("asio_uring_as_default")]]

ASIO_URING_ASIO_BEGIN

#if !defined(ASIO_URING_ASIO_USE_TS_EXECUTOR_AS_DEFAULT)
class ASIO_URING_TAGGED any_io_executor;
#endif
template <typename Protocol, typename Executor>
class ASIO_URING_TAGGED basic_socket;
template <typename Protocol, typename Executor>
class ASIO_URING_TAGGED basic_stream_socket;
template <typename Protocol, typename Executor>
class ASIO_URING_TAGGED basic_datagram_socket;
template <typename Protocol, typename Executor>
class ASIO_URING_TAGGED basic_raw_socket;
template <typename Protocol, typename Executor>
class ASIO_URING_TAGGED basic_seq_packet_socket;
template <typename Protocol, typename Executor>
class ASIO_URING_TAGGED basic_socket_acceptor;
template <typename Protocol, typename Clock, typename WaitTraits>
class ASIO_URING_TAGGED basic_socket_streambuf;
template <typename Protocol, typename Clock, typename WaitTraits>
class ASIO_URING_TAGGED basic_socket_iostream;
template <typename Executor>
class ASIO_URING_TAGGED basic_readable_pipe;
template <typename Executor>
class ASIO_URING_TAGGED basic_writable_pipe;
template <typename Executor>
class ASIO_URING_TAGGED basic_file;
template <typename Executor>
class ASIO_URING_TAGGED basic_stream_file;
template <typename Executor>
class ASIO_URING_TAGGED basic_random_access_file;

namespace posix {
template <typename Executor>
class ASIO_URING_TAGGED basic_descriptor;
template <typename Executor>
class ASIO_URING_TAGGED basic_stream_descriptor;
} // namespace posix

namespace detail {
template <typename Service, typename Executor>
class ASIO_URING_TAGGED io_object_impl;
template <typename Protocol, typename Clock, typename WaitTraits>
class ASIO_URING_TAGGED socket_iostream_base;
template <typename Protocol, typename Executor>
class ASIO_URING_TAGGED initiate_async_range_connect;
template <typename Protocol, typename Executor>
class ASIO_URING_TAGGED initiate_async_iterator_connect;
template <typename Protocol, typename Executor, typename Endpoints, typename Condition, typename Handler>
class ASIO_URING_TAGGED range_connect_op;
template <typename Protocol, typename Executor, typename Iterator, typename Condition, typename Handler>
class ASIO_URING_TAGGED iterator_connect_op;
} // namespace detail

ASIO_URING_ASIO_END

#if defined(ASIO_URING_HAS_BEAST)
namespace boost::beast {
template <typename Protocol, typename Executor, typename RatePolicy>
class ASIO_URING_TAGGED basic_stream;
} // namespace boost::beast
#endif

#undef ASIO_URING_TAGGED

#endif // ASIO_URING_DETAIL_ASIO_ABI_TAG_HPP
