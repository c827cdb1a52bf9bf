# The suites of each test program; a suite is called as its source.

# What every Asio program expects: on stock Asio and on io_uring.
set(suites tokens coroutines streams waits sockets errors cancel cancel_races results run_loop threads fairness lifetime
    descriptor_numbers limits integration tls_streams beast_streams records unwinding guest readiness read_ahead
    ownership processes forks closes)

# What is the library's own.
set(token_suites use_uring_token use_uring_lifetime use_uring_streams)
set(type_suites own_api options which_path fallback fallback_kernel own_streams use_uring_token use_uring_lifetime
    use_uring_streams given_arguments locks timing_wheel)

# Files, and whatever else the ring performs that a reactor never could.
set(file_suites files file_operations file_system file_results given_up owned_buffers chains submit opcodes
    use_wait_token registered_buffers no_memory fallback_threads calls_in_threads late_numbers forked_files deadlines
    deadline_handlers accept_stream receive_stream buffer_rings poll_stream datagram_batches batch_sends udp_offload
    send_file send_file_ends wait_futex wait_futex_ends wait_process zero_copy zero_copy_contexts fan_outs datagram_stream
    datagrams_turned_back streams_in_order mistakes idle_memory)

# What is on Beast, or has cases that are.
set(suites_on_beast beast_streams)
set(suites_partly_on_beast guest own_streams use_uring_streams)
