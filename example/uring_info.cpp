// uring_info: prints what this machine's io_uring offers, and how asio_uring uses it.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include <asio_uring/asio_uring.hpp>
#include <boost/asio/io_context.hpp>
#include <exception>
#include <iostream>

int main()
{
  try {
    const asio_uring::ring ring;
    const asio_uring::features& f = ring.features();
    std::cout << "queues:   " << ring.entries() << " submissions, " << ring.completions() << " completions\n"
              << "set-up:   " << asio_uring::setup_flag_names(f.setup_flags) << '\n'
              << "features: " << asio_uring::feature_names(f.kernel) << '\n'
              << "opcodes: ";
    for (unsigned op = 0; op != f.opcodes.size(); ++op)
      if (f.opcode(op))
        std::cout << ' ' << (*asio_uring::opcode_name(op) ? asio_uring::opcode_name(op) : "?");

    boost::asio::io_context context;
    asio_uring::use_io_uring(context);
    std::cout << "\n\nan io_context:\n" << asio_uring::backend(context) << '\n';
  } catch (const std::exception& e) {
    std::cerr << e.what() << '\n';
    return 1;
  }
}
