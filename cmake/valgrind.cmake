# Tests run their programs under valgrind's memcheck; what it reports fails the test.
find_program(VALGRIND valgrind REQUIRED)
set(CMAKE_CROSSCOMPILING_EMULATOR
    env ASIO_URING_TEST_SHARE=20 ASIO_URING_TEST_SLOWNESS=7
    "${VALGRIND}" --quiet --error-exitcode=99
    --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite
    --undef-value-errors=no # valgrind does not see what the kernel writes between two system calls
    --fair-sched=yes --num-callers=40)
set(test_timeout 1200)

# Valgrind keeps the limit of open descriptors itself: the kernel, which accepts for a ring, does not know it, and
# what accept(2) returns above it is closed again. It has no seccomp(2), and does not outlive that memory runs out.
set(not_under_valgrind
    --run_test=!processes/a_ring_with_a_thread_of_its_own_is_refused_to_all_threads
    --run_test=!guest/memory_that_runs_out_does_not_hold_up_operations_that_need_none
    --run_test=!errors/descriptor_limit_on_accept_then_recovery
    --run_test=!limits/descriptors_run_out_in_a_storm_of_connects_and_come_back)
# Its operator new ends the program where it should throw; and it keeps some signals for itself.
set(files_not_under_valgrind
    --run_test=!given_up/late_bytes_that_find_no_memory_are_delivered
    --run_test=!fallback_threads/its_threads_take_no_signals)
# valgrind_enter.cpp waits for the first completion; and again it is not the program's operator new that is called.
set(types_not_under_valgrind
    --run_test=!options/who_waits_for_more_sleeps_less_often
    --run_test=!fallback_kernel/entries_stay_in_the_queue_while_there_is_no_memory_for_them
    --run_test=!fallback_kernel/a_chain_goes_on_when_there_is_memory_for_the_rest_of_it)

# In the place of liburing's function.
add_library(valgrind_enter STATIC test/valgrind_enter.cpp)
target_link_libraries(valgrind_enter PRIVATE liburing::liburing)
target_compile_features(valgrind_enter PRIVATE cxx_std_20)
set_target_properties(valgrind_enter PROPERTIES POSITION_INDEPENDENT_CODE ON)
link_libraries(valgrind_enter)
