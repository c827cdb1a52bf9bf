#!/usr/bin/env bash
# pkg_config.sh PREFIX DIRECTORY: builds and runs a program in DIRECTORY, with pkg-config's flags for the library that is
# installed in PREFIX. Environment: CXX.
set -euo pipefail
prefix=$1 out=$2 source=$(dirname "${BASH_SOURCE[0]}")/echo.cpp
export PKG_CONFIG_PATH=$prefix/share/pkgconfig
mkdir -p "$out"

# It requires the package asio_uring, so this tests both.
package=asio_uring_as_default
cflags=$(pkg-config --cflags "$package")
libs=$(pkg-config --libs "$package")
echo "$package: $cflags $libs"
# shellcheck disable=SC2086 # words
${CXX:-g++} -std=c++20 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror \
  -DWANTS_AS_DEFAULT -DPACKAGE_VERSION="\"$(pkg-config --modversion "$package")\"" \
  $cflags "$source" -o "$out/echo" $libs
"$out/echo"
