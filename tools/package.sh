#!/usr/bin/env bash
# Makes a package of the library in build/packages:
#
#   tools/package.sh [--test] deb|cpack|conan|vcpkg
#
# deb     libasio-uring-dev by Debian's tools (dpkg-buildpackage), checked by lintian
# cpack   libasio-uring-dev and a .tar.gz by CPack
# conan   in Conan's cache, by the recipe in tools/packaging/conan
# vcpkg   by the overlay port in tools/packaging/vcpkg
# --test  also builds and runs the programs of test/packages with the package, without installing it on this system.
#         Conan then uses a cache of its own and the system's Boost and liburing.
#
# Environment: DEBFULLNAME and DEBEMAIL, the maintainer of the Debian packages (default: git's user.name and user.email);
# VCPKG_ROOT for vcpkg. Exit code 77: the packaging tool is not installed.
set -euo pipefail
exec </dev/null

usage() {
  sed -n '2,/^set/{s/^# \?//p}' "$0" >&2
  exit 2
}
fail() {
  echo "package: $*" >&2
  exit 1
}
# needs COMMAND PACKAGE
needs() {
  command -v "$1" >/dev/null && return
  echo "package: $kind NOT made: $1 is not installed; install $2" >&2
  exit 77
}

testing=
if [[ ${1:-} == --test ]]; then
  testing=1
  shift
fi
(($# == 1)) || usage
kind=$1
cd "$(dirname "$0")/.."
checkout=$PWD
version=$(sed -nE 's/^#define ASIO_URING_VERSION_STRING "(.*)"/\1/p' asio_uring/version.hpp)
out=$checkout/build/packages/$kind
library_only=(-DASIO_URING_BUILD_TESTS=OFF -DASIO_URING_BUILD_EXAMPLES=OFF -DASIO_URING_BUILD_BENCH=OFF)

maintainer() {
  local name email
  name=${DEBFULLNAME:-$(git config user.name || true)}
  email=${DEBEMAIL:-$(git config user.email || true)}
  [[ $name && $email ]] || fail "no maintainer: set DEBFULLNAME and DEBEMAIL"
  echo "$name <$email>"
}

# try_prefix PREFIX: builds and runs programs with what is installed there.
try_prefix() {
  [[ $testing ]] || return 0
  cmake -S test/packages/consumer -B "$out/consumer" -DCMAKE_PREFIX_PATH="$1" \
    -DCMAKE_CXX_COMPILER_LAUNCHER="$(command -v ccache || true)"
  cmake --build "$out/consumer"
  grep "^asio_uring_DIR:PATH=$1" "$out/consumer/CMakeCache.txt" || fail "the consumer did not find the package in $1"
  ctest --test-dir "$out/consumer" --output-on-failure --no-tests=error
  test/packages/pkg_config.sh "$1" "$out/pkg_config"
}

# try_deb FILE: builds and runs programs with the contents of a Debian package.
try_deb() {
  dpkg-deb --info "$1"
  dpkg-deb --contents "$1" | awk '{ print $6 }' | grep -vE 'asio_uring/.*pp$'
  dpkg-deb --extract "$1" "$out/root"
  try_prefix "$out/root/usr"
}

# debian_tree DIR: a copy of the working tree with a debian/ folder at its top.
debian_tree() {
  local tree=$1
  mkdir -p "$tree"
  tar --exclude=./build --exclude='./build-*' --exclude=./bin --exclude=./.git -c . | tar -x -C "$tree"
  cp -r tools/packaging/debian "$tree/debian"
  sed -i "s/@MAINTAINER@/$(maintainer)/" "$tree/debian/control"
  sed 's/^$/./; s/^/ /' LICENSE | cat "$tree/debian/copyright.in" - >"$tree/debian/copyright"
  rm "$tree/debian/copyright.in"
  printf 'asio-uring (%s-1) UNRELEASED; urgency=medium\n\n  * Version %s: see CHANGELOG.md.\n\n -- %s  %s\n' \
    "$version" "$version" "$(maintainer)" "$(date -R ${SOURCE_DATE_EPOCH:+-d "@$SOURCE_DATE_EPOCH"})" >"$tree/debian/changelog"
}

package_deb() {
  needs dpkg-buildpackage dpkg-dev
  needs dh debhelper
  debian_tree "$out/asio-uring-$version"
  (cd "$out/asio-uring-$version" && dpkg-buildpackage -us -uc -b)
  if command -v lintian >/dev/null; then
    lintian --info --allow-root --fail-on error,warning "$out"/*.changes
  else
    echo "package: NOT checked by lintian: it is not installed" >&2
  fi
  try_deb "$out/libasio-uring-dev_$version-1_all.deb"
}

package_cpack() {
  needs cpack cmake
  needs dpkg-deb dpkg
  cmake -S . -B "$out/build" "${library_only[@]}"
  (cd "$out" && cpack --config build/CPackConfig.cmake -G "DEB;TGZ" -D CPACK_DEBIAN_PACKAGE_MAINTAINER="$(maintainer)" -B "$out")
  try_deb "$out/libasio-uring-dev_${version}_all.deb"
}

package_conan() {
  needs conan "Conan 2, by pip"
  [[ $testing ]] || {
    conan create tools/packaging/conan --test-folder= --build=missing
    return
  }
  export CONAN_HOME=$out/home
  conan profile detect
  cat >"$out/profile" <<END
include($(conan profile path default))
[settings]
compiler.cppstd=20
[platform_requires]
boost/$(sed -n 's/.*BOOST_LIB_VERSION "\(.*\)"/\1/p' /usr/include/boost/version.hpp | tr _ .).0
liburing/$(pkg-config --modversion liburing)
END
  conan create tools/packaging/conan --profile:all "$out/profile" -c tools.cmake.cmake_layout:test_folder="$out/test"
}

package_vcpkg() {
  needs vcpkg "vcpkg, and set VCPKG_ROOT"
  vcpkg install --overlay-ports="$checkout/tools/packaging/vcpkg" --x-install-root="$out/installed" asio-uring
  [[ $testing ]] || return 0
  cmake -S test/packages/consumer -B "$out/consumer" -DVCPKG_INSTALLED_DIR="$out/installed" \
    -DCMAKE_TOOLCHAIN_FILE="$VCPKG_ROOT/scripts/buildsystems/vcpkg.cmake"
  cmake --build "$out/consumer"
  ctest --test-dir "$out/consumer" --output-on-failure --no-tests=error
}

case $kind in
  deb | cpack | conan | vcpkg) ;;
  *) usage ;;
esac
rm -rf "$out"
mkdir -p "$out"
"package_$kind"
echo "package: $kind: $out"
