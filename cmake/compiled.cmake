# asio_uring::compiled: the library's functions, compiled once, to save compile time. The program's own build compiles
# them, so compiler, Boost and flags always match. as_default.hpp does not change them: the target can be combined
# with asio_uring::as_default.
if(NOT TARGET asio_uring::compiled)
  add_library(asio_uring_compiled STATIC EXCLUDE_FROM_ALL "${CMAKE_CURRENT_LIST_DIR}/compiled.cpp")
  add_library(asio_uring::compiled ALIAS asio_uring_compiled)
  set_target_properties(asio_uring_compiled PROPERTIES POSITION_INDEPENDENT_CODE ON) # for shared libraries, too
  target_compile_definitions(asio_uring_compiled PUBLIC ASIO_URING_SEPARATE_COMPILATION)
  target_link_libraries(asio_uring_compiled PUBLIC asio_uring::asio_uring)
endif()
