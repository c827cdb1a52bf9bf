# An overlay port that builds the checkout it is in: vcpkg install --overlay-ports=tools/packaging/vcpkg asio-uring
set(VCPKG_BUILD_TYPE release) # header-only

get_filename_component(SOURCE_PATH "${CMAKE_CURRENT_LIST_DIR}/../../../.." ABSOLUTE)
vcpkg_cmake_configure(
    SOURCE_PATH "${SOURCE_PATH}"
    OPTIONS
        -DASIO_URING_BUILD_TESTS=OFF
        -DASIO_URING_BUILD_EXAMPLES=OFF
        -DASIO_URING_BUILD_BENCH=OFF
)
vcpkg_cmake_install()
vcpkg_cmake_config_fixup(PACKAGE_NAME asio_uring CONFIG_PATH share/cmake/asio_uring)
vcpkg_fixup_pkgconfig()
vcpkg_install_copyright(FILE_LIST "${SOURCE_PATH}/LICENSE")
