// asio_uring/io_object/mixed_units.hpp: has the linker refuse a program of which only a part has
// as_default.hpp.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_IO_OBJECT_MIXED_UNITS_HPP
#define ASIO_URING_IO_OBJECT_MIXED_UNITS_HPP

// With as_default.hpp the same names of boost::asio mean other classes than without, and a program of both
// would be silently broken. A translation unit that makes stock sockets or timers, or starts operations on
// stock sockets, has a type_info that one with as_default.hpp never has: of the service, or of the
// operation's cancellation. So here these symbols are thread-local, and linkers refuse symbols that are
// thread-local in one file and not in another. A linker error
//
//   TLS definition in ours.o section .tbss.compiled_with_asio_uring_as_default.tcp mismatches non-TLS
//   definition in stock.o
//
// says: compile stock.cpp with asio_uring/as_default.hpp, too. Not found are units that only hold or pass on
// a stock socket, and shared libraries compiled otherwise than the program.
//
// ASIO_URING_ALLOW_MIXED_UNITS, defined everywhere, leaves the check out, for units whose stock objects are
// of other types than those on io_uring: an executor for which enable_io_uring is specialised to be false.

#if !defined(ASIO_URING_ALLOW_MIXED_UNITS) && defined(__GNUC__) && defined(__ELF__)

#define ASIO_URING_NO_STOCK(name, symbol)                                                                    \
  [[gnu::used,                                                                                               \
    gnu::section(".tbss.compiled_with_asio_uring_as_default." #name)]] inline constinit thread_local char    \
      name asm("_ZTIN5boost4asio6detail" symbol);
#define ASIO_URING_NO_STOCK_SERVICE(name, service)                                                           \
  ASIO_URING_NO_STOCK(name, "14typeid_wrapperINS1_" service "EEE")

namespace asio_uring::detail::no_stock {

ASIO_URING_NO_STOCK_SERVICE(tcp, "23reactive_socket_serviceINS0_2ip3tcpEE")
ASIO_URING_NO_STOCK_SERVICE(udp, "23reactive_socket_serviceINS0_2ip3udpEE")
ASIO_URING_NO_STOCK_SERVICE(local_stream, "23reactive_socket_serviceINS0_5local15stream_protocolEE")
ASIO_URING_NO_STOCK_SERVICE(local_datagram, "23reactive_socket_serviceINS0_5local17datagram_protocolEE")
ASIO_URING_NO_STOCK_SERVICE(generic_stream, "23reactive_socket_serviceINS0_7generic15stream_protocolEE")
ASIO_URING_NO_STOCK_SERVICE(steady_timer,
                            "22deadline_timer_serviceINS1_18chrono_time_traitsINSt6chrono3_V212steady_clock"
                            "ENS0_11wait_traitsIS7_EEEEE")
ASIO_URING_NO_STOCK_SERVICE(signal_set, "18signal_set_service")
ASIO_URING_NO_STOCK(socket_operation,
                    "20cancellation_handlerINS1_28reactive_socket_service_base23reactor_op_cancellationEEE")

} // namespace asio_uring::detail::no_stock

#undef ASIO_URING_NO_STOCK_SERVICE
#undef ASIO_URING_NO_STOCK

#endif

#endif // ASIO_URING_IO_OBJECT_MIXED_UNITS_HPP
