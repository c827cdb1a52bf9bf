# Recipe for Conan 2. In the checkout: conan create tools/packaging/conan
#
# With CMake the targets are those of the installed package: asio_uring::asio_uring, asio_uring::as_default,
# asio_uring::compiled. With other build systems add the flag -include asio_uring/as_default.hpp for a whole program.

import os
import re

from conan import ConanFile
from conan.errors import ConanInvalidConfiguration
from conan.tools.build import check_min_cppstd
from conan.tools.cmake import CMake, CMakeDeps, CMakeToolchain
from conan.tools.files import copy, load


class AsioUring(ConanFile):
    name = "asio_uring"
    description = "Boost.Asio programs on io_uring"
    license = "BSL-1.0"
    topics = ("asio", "boost", "io_uring", "networking", "header-only")
    package_type = "header-library"
    settings = "os", "compiler", "build_type", "arch"
    options = {"standalone": [True, False]}  # Asio without Boost
    default_options = {"standalone": False}
    no_copy_source = True

    def _checkout(self):
        return os.path.join(self.recipe_folder, "..", "..", "..")

    def set_version(self):
        header = load(self, os.path.join(self._checkout(), "asio_uring", "version.hpp"))
        self.version = re.search(r'VERSION_STRING "(.*)"', header).group(1)

    def export_sources(self):
        for what in ("CMakeLists.txt", "LICENSE", "cmake/*", "asio_uring/*"):
            copy(self, what, self._checkout(), self.export_sources_folder)

    def requirements(self):
        if self.options.standalone:
            self.requires("asio/[>=1.30 <2]", transitive_headers=True)
        else:
            self.requires("boost/[>=1.81 <2]", transitive_headers=True)
        self.requires("liburing/[>=2.3 <3]", transitive_headers=True, transitive_libs=True)

    def package_id(self):
        self.info.settings.clear()  # headers only; the option changes the installed CMake package

    def validate(self):
        if self.settings.os != "Linux":
            raise ConanInvalidConfiguration("asio_uring needs os=Linux")
        if self.settings.get_safe("compiler.cppstd"):
            check_min_cppstd(self, 20)

    def generate(self):
        CMakeDeps(self).generate()
        toolchain = CMakeToolchain(self)
        toolchain.cache_variables["ASIO_URING_STANDALONE"] = bool(self.options.standalone)
        for what in ("TESTS", "EXAMPLES", "BENCH"):
            toolchain.cache_variables["ASIO_URING_BUILD_" + what] = False
        toolchain.generate()

    def build(self):
        CMake(self).configure()

    def package(self):
        copy(self, "LICENSE", self.source_folder, os.path.join(self.package_folder, "licenses"))
        CMake(self).install()

    def package_info(self):
        self.cpp_info.bindirs = []
        self.cpp_info.libdirs = []
        if self.options.standalone:
            self.cpp_info.defines = ["ASIO_URING_STANDALONE"]
        # CMake uses the installed package, not one that Conan generates.
        self.cpp_info.set_property("cmake_find_mode", "none")
        self.cpp_info.builddirs = ["share/cmake/asio_uring"]
