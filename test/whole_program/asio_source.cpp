// test/whole_program/asio_source.cpp: Asio's functions, with BOOST_ASIO_SEPARATE_COMPILATION.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include <boost/asio/impl/src.hpp>
