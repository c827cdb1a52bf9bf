# Installs the headers and the files for CMake and pkg-config. They are the same for every architecture, hence share/.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

install(TARGETS asio_uring asio_uring_as_default EXPORT asio_uring INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY "${PROJECT_SOURCE_DIR}/asio_uring" DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  FILES_MATCHING PATTERN "*.hpp" PATTERN "*.ipp")

set(package_dir ${CMAKE_INSTALL_DATADIR}/cmake/asio_uring)
install(EXPORT asio_uring NAMESPACE asio_uring:: FILE asio_uring-targets.cmake DESTINATION ${package_dir})
configure_package_config_file(cmake/asio_uring-config.cmake.in
  "${PROJECT_BINARY_DIR}/asio_uring-config.cmake" INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file("${PROJECT_BINARY_DIR}/asio_uring-config-version.cmake"
  COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(FILES
  "${PROJECT_BINARY_DIR}/asio_uring-config.cmake"
  "${PROJECT_BINARY_DIR}/asio_uring-config-version.cmake"
  cmake/boost_policy.cmake
  cmake/compiled.cmake
  cmake/compiled.cpp
  cmake/Findasio.cmake
  cmake/Findliburing.cmake
  DESTINATION ${package_dir})

# The prefix is relative to the file, so that the installed tree can be moved.
set(pkgconfig_dir ${CMAKE_INSTALL_DATADIR}/pkgconfig)
file(RELATIVE_PATH pkgconfig_prefix "${CMAKE_INSTALL_PREFIX}/${pkgconfig_dir}" "${CMAKE_INSTALL_PREFIX}")
if(ASIO_URING_STANDALONE)
  set(pkgconfig_defines "-DASIO_URING_STANDALONE ")
endif()
foreach(package asio_uring asio_uring_as_default)
  configure_file(cmake/${package}.pc.in "${PROJECT_BINARY_DIR}/${package}.pc" @ONLY)
  install(FILES "${PROJECT_BINARY_DIR}/${package}.pc" DESTINATION ${pkgconfig_dir})
endforeach()

if(PROJECT_IS_TOP_LEVEL)
  include(deb)
endif()
