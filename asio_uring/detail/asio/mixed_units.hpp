// asio_uring/detail/asio/mixed_units.hpp: has the linker refuse a program in which only some units have
// as_default.hpp.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ASIO_MIXED_UNITS_HPP
#define ASIO_URING_DETAIL_ASIO_MIXED_UNITS_HPP

// With as_default.hpp, names of Asio mean other classes than without it. Their symbols differ
// (detail/asio/abi_tag.hpp), but not those of a class that has a socket as a member: a program with both
// kinds of units would be broken without an error. A unit that makes stock sockets or timers has the symbol
// `id` of their service, which no unit with as_default.hpp has; one that starts operations on stock sockets
// has the functions that connect or cancel them. Here these symbols are thread-local: linkers refuse a symbol
// that is thread-local in one file and not in another, or report a duplicate. The error
//
//   TLS definition in ours.o section .tbss.compile_all_with_asio_uring_as_default.tcp mismatches non-TLS
//   definition in stock.o
//
// means: compile stock.cpp with asio_uring/as_default.hpp, too. The symbols are hidden, so a shared library
// may have its own, except with the linker gold, which refuses that, too. Not found are units that only hold
// or pass on a stock socket, units that clang has compiled and lld or mold links, and an Asio in an inline
// namespace of its version.
//
// ASIO_URING_ALLOW_MIXED_UNITS, defined everywhere, disables check and tags. It is for units whose stock
// objects have other types than those on io_uring: an executor for which enable_io_uring is specialised to be
// false.

#if !defined(ASIO_URING_ALLOW_MIXED_UNITS) && defined(__GNUC__) && defined(__ELF__)

#define ASIO_URING_NO_STOCK(name, symbol)                                                                    \
  [[gnu::used, gnu::visibility("hidden"),                                                                    \
    gnu::section(".tbss.compile_all_with_asio_uring_as_default." #name)]] inline constinit thread_local char \
      name asm(symbol);
// Asio's mangled namespaces, and the substitutions for what a name has mentioned before; the last two are for
// a timer's clock and boost::posix_time::ptime.
#if defined(ASIO_URING_STANDALONE)
#define ASIO_URING_IN_DETAIL "N4asio6detail"
#define ASIO_URING_ASIO_AGAIN "S_"
#define ASIO_URING_DETAIL_AGAIN "S0_"
#define ASIO_URING_CLOCK_AGAIN "S6_"
#define ASIO_URING_PTIME "N5boost10posix_time5ptimeE"
#else
#define ASIO_URING_IN_DETAIL "N5boost4asio6detail"
#define ASIO_URING_ASIO_AGAIN "S0_"
#define ASIO_URING_DETAIL_AGAIN "S1_"
#define ASIO_URING_CLOCK_AGAIN "S7_"
#define ASIO_URING_PTIME "NS_10posix_time5ptimeE"
#endif
// g++ 16 omits an id that is not used, but not its guard.
#define ASIO_URING_ID(service)                                                                               \
  ASIO_URING_IN_DETAIL "30execution_context_service_baseIN" ASIO_URING_DETAIL_AGAIN service "EE2idE"
#define ASIO_URING_NO_STOCK_SERVICE(name, service)                                                           \
  ASIO_URING_NO_STOCK(name, "_Z" ASIO_URING_ID(service))                                                     \
  ASIO_URING_NO_STOCK(name##_guard, "_ZGV" ASIO_URING_ID(service))
#define ASIO_URING_NO_STOCK_SOCKET(name, protocol)                                                           \
  ASIO_URING_NO_STOCK_SERVICE(name, "23reactive_socket_serviceIN" ASIO_URING_ASIO_AGAIN protocol "EE")
#define ASIO_URING_NO_STOCK_TIMER(name, clock)                                                               \
  ASIO_URING_NO_STOCK_SERVICE(name, "22deadline_timer_serviceIN" ASIO_URING_DETAIL_AGAIN                     \
                                    "18chrono_time_traitsINSt" clock "EN" ASIO_URING_ASIO_AGAIN              \
                                    "11wait_traitsI" ASIO_URING_CLOCK_AGAIN "EEEEE")

namespace asio_uring::detail::no_stock {

ASIO_URING_NO_STOCK_SOCKET(tcp, "2ip3tcp")
ASIO_URING_NO_STOCK_SOCKET(udp, "2ip3udp")
ASIO_URING_NO_STOCK_SOCKET(icmp, "2ip4icmp")
ASIO_URING_NO_STOCK_SOCKET(local_stream, "5local15stream_protocol")
ASIO_URING_NO_STOCK_SOCKET(local_datagram, "5local17datagram_protocol")
ASIO_URING_NO_STOCK_SOCKET(local_seq_packet, "5local19seq_packet_protocol")
ASIO_URING_NO_STOCK_SOCKET(generic_stream, "7generic15stream_protocol")
ASIO_URING_NO_STOCK_SOCKET(generic_datagram, "7generic17datagram_protocol")
ASIO_URING_NO_STOCK_SOCKET(generic_raw, "7generic12raw_protocol")
ASIO_URING_NO_STOCK_SOCKET(generic_seq_packet, "7generic19seq_packet_protocol")
ASIO_URING_NO_STOCK_TIMER(steady_timer, "6chrono3_V212steady_clock")
ASIO_URING_NO_STOCK_TIMER(system_timer, "6chrono3_V212system_clock")
ASIO_URING_NO_STOCK_TIMER(steady_timer_of_libcxx, "3__16chrono12steady_clock")
ASIO_URING_NO_STOCK_TIMER(system_timer_of_libcxx, "3__16chrono12system_clock")
ASIO_URING_NO_STOCK_SERVICE(deadline_timer, "22deadline_timer_serviceIN" ASIO_URING_ASIO_AGAIN
                                            "11time_traitsI" ASIO_URING_PTIME "EEE")
ASIO_URING_NO_STOCK_SERVICE(signal_set, "18signal_set_service")

ASIO_URING_NO_STOCK(connecting, "_Z" ASIO_URING_IN_DETAIL
                                "31reactive_socket_connect_op_base10do_performEPN" ASIO_URING_DETAIL_AGAIN
                                "10reactor_opE")
ASIO_URING_NO_STOCK(cancelling, "_ZTV" ASIO_URING_IN_DETAIL "20cancellation_handlerIN" ASIO_URING_DETAIL_AGAIN
                                "28reactive_socket_service_base23reactor_op_cancellationEEE")

} // namespace asio_uring::detail::no_stock

#undef ASIO_URING_NO_STOCK_TIMER
#undef ASIO_URING_NO_STOCK_SOCKET
#undef ASIO_URING_NO_STOCK_SERVICE
#undef ASIO_URING_ID
#undef ASIO_URING_IN_DETAIL
#undef ASIO_URING_ASIO_AGAIN
#undef ASIO_URING_DETAIL_AGAIN
#undef ASIO_URING_CLOCK_AGAIN
#undef ASIO_URING_PTIME
#undef ASIO_URING_NO_STOCK

#endif

#endif // ASIO_URING_DETAIL_ASIO_MIXED_UNITS_HPP
