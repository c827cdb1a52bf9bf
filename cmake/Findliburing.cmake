# Finds liburing: liburing_FOUND, liburing_VERSION, target liburing::liburing.

find_path(liburing_INCLUDE_DIR liburing.h)
find_library(liburing_LIBRARY uring)
mark_as_advanced(liburing_INCLUDE_DIR liburing_LIBRARY)

# The version header came with 2.4; 2.3 is known by what it added.
if(liburing_INCLUDE_DIR)
  if(EXISTS "${liburing_INCLUDE_DIR}/liburing/io_uring_version.h")
    file(STRINGS "${liburing_INCLUDE_DIR}/liburing/io_uring_version.h" liburing_version_lines
      REGEX "#define IO_URING_VERSION_(MAJOR|MINOR) ")
    string(REGEX REPLACE "[^0-9]*([0-9]+)[^0-9]+([0-9]+).*" "\\1.\\2" liburing_VERSION "${liburing_version_lines}")
  else()
    file(STRINGS "${liburing_INCLUDE_DIR}/liburing.h" liburing_sync_cancel
      REGEX "io_uring_register_sync_cancel" LIMIT_COUNT 1)
    if(liburing_sync_cancel)
      set(liburing_VERSION 2.3)
    else()
      set(liburing_VERSION 2.2)
    endif()
  endif()
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(liburing
  REQUIRED_VARS liburing_LIBRARY liburing_INCLUDE_DIR VERSION_VAR liburing_VERSION)

if(liburing_FOUND AND NOT TARGET liburing::liburing)
  add_library(liburing::liburing UNKNOWN IMPORTED)
  set_target_properties(liburing::liburing PROPERTIES
    IMPORTED_LOCATION "${liburing_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${liburing_INCLUDE_DIR}")
endif()
