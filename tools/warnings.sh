#!/usr/bin/env bash
# Compiles the headers, included by -I, with more warnings than most programs ask for: a warning is an error.
#
#   tools/warnings.sh [--program|--headers|--configurations] [COMPILER...]
#
# --program: a program with every operation: as types, for a whole program, separately compiled, and
# optimized, which some warnings need. --headers: every header alone. --configurations: the program in
# configurations of Asio and of the compiler.
# Without a COMPILER, uses all installed versions of g++ and clang++.
# Environment: CXXFLAGS, such as -isystem /opt/boost/include.
set -euo pipefail
cd "$(dirname "$0")/.."

flags=(-std=c++20 -I. -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Woverloaded-virtual -Werror)
read -ra given <<<"${CXXFLAGS:-}"
flags+=("${given[@]}" -x c++)
program=test/warnings/every_operation.cpp

installed() {
  local name path
  for name in $(compgen -c | grep -E '^(g|clang)\+\+(-[0-9]+)?$' | sort -u); do
    path=$(realpath "$(command -v "$name")")
    [[ $path == *ccache* ]] || echo "$path $name"
  done | sort -u -k1,1 | cut -d' ' -f2
}

# Leaves out the header for Asio without Boost, which may not be installed.
all_headers() { find asio_uring -name "*.hpp" ! -name src.hpp ! -name late_standalone_macros.hpp; }

# A header that another one includes first is compiled alone by that.
headers_to_compile() {
  comm -23 <(all_headers | sort) <(
    all_headers | xargs awk 'FNR == 1 { begun = 0 }
      begun || /^(\/\/.*)?$/ || /^#(ifndef|define) ASIO_URING_[A-Z_]*_HPP$/ { next }
      { begun = 1 }
      /^#include <asio_uring\/.*\.hpp>$/ { gsub(/^#include <|>$/, ""); print }' | sort -u)
}

versions() {
  local boost
  boost=$("$1" "${flags[@]}" -E -P - <<<$'#include <boost/version.hpp>\nBOOST_LIB_VERSION' | tail -n 1)
  echo "$("$1" --version | head -n 1), Boost ${boost//\"/}, liburing $(pkg-config --modversion liburing)"
}

failed=0
# try COMPILER WHAT ARGUMENT...
try() {
  local compiler=$1 what=$2
  shift 2
  "$compiler" "${flags[@]}" "$@" && return
  echo "warnings: $compiler: $what" >&2
  failed=1
}

check_program() {
  try "$1" "as types" -fsyntax-only "$program"
  try "$1" "whole program" -fsyntax-only -include asio_uring/as_default.hpp "$program"
  try "$1" "separately compiled" -fsyntax-only -DASIO_URING_SEPARATE_COMPILATION "$program"
  try "$1" "optimised" -O3 -c -o /dev/null "$program"
}

check_headers() {
  local header
  for header in $(headers_to_compile); do
    try "$1" "$header" -fsyntax-only - <<<"#include <$header>"
  done
}

check_configurations() {
  local option
  for option in -DBOOST_ASIO_{NO_TS_EXECUTORS,USE_TS_EXECUTOR_AS_DEFAULT,NO_DEPRECATED,ENABLE_HANDLER_TRACKING} \
    -DBOOST_ASIO_{DISABLE_THREADS,SEPARATE_COMPILATION,NO_TYPEID,DISABLE_TIMERFD,DISABLE_EVENTFD} -fno-rtti; do
    try "$1" "$option" "$option" -fsyntax-only -include asio_uring/as_default.hpp "$program"
  done
}

what='program headers configurations'
if [[ ${1:-} == --program || ${1:-} == --headers || ${1:-} == --configurations ]]; then
  what=${1#--}
  shift
fi
if (($# == 0)); then mapfile -t found < <(installed) && set -- "${found[@]}"; fi
for compiler; do
  for each in $what; do "check_$each" "$compiler"; done
  versions "$compiler"
done
exit $failed
