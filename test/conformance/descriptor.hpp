// test/conformance/descriptor.hpp: classes of descriptors.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_CONFORMANCE_DESCRIPTOR_HPP
#define ASIO_URING_TEST_CONFORMANCE_DESCRIPTOR_HPP

#include "stream.hpp"

using stream_descriptor = net::posix::stream_descriptor;

/// A descriptor that can only be waited for; its class is meant to be derived from.
struct plain_descriptor : net::posix::descriptor
{
  using net::posix::descriptor::basic_descriptor;
};

#endif // ASIO_URING_TEST_CONFORMANCE_DESCRIPTOR_HPP
