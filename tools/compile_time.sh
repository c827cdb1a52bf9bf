#!/usr/bin/env bash
# Measures what the library's headers cost to compile, compared with <boost/asio.hpp> alone: medians of user
# time over alternating rounds, and preprocessed lines. tools/compile_time.sh [ROUNDS]; CXX and CXXFLAGS as
# usual. Takes about a minute.
set -euo pipefail
cd "$(dirname "$0")/.."

rounds=${1:-7}
cxx=${CXX:-g++}
read -ra flags <<<"-std=c++20 -I. ${CXXFLAGS:--O0}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

names=(asio umbrella separate as_default)
echo '#include <boost/asio.hpp>' >"$work/asio.cpp"
echo '#include <asio_uring/asio_uring.hpp>' >"$work/umbrella.cpp"
cp "$work/asio.cpp" "$work/as_default.cpp"
cp "$work/umbrella.cpp" "$work/separate.cpp"
arguments() {
  [[ $1 == as_default ]] && echo -n "-include asio_uring/as_default.hpp "
  [[ $1 == separate ]] && echo -n "-DASIO_URING_SEPARATE_COMPILATION "
  echo "$work/$1.cpp"
}

TIMEFORMAT=%U
for ((round = 0; round < rounds; ++round)); do
  for name in "${names[@]}"; do
    # shellcheck disable=SC2046
    { time "$cxx" "${flags[@]}" -c -o "$work/out.o" $(arguments "$name"); } 2>>"$work/$name.seconds"
  done
done

median() { sort -n "$1" | awk '{ value[NR] = $1 } END { print value[int((NR + 1) / 2)] }'; }

printf '%-42s %6s %7s %8s\n' 'unit' 'user s' 'ratio' 'lines'
stock=$(median "$work/asio.seconds")
for name in "${names[@]}"; do
  case $name in
    asio) title='<boost/asio.hpp>' ;;
    umbrella) title='<asio_uring/asio_uring.hpp>' ;;
    separate) title='the same, separately compiled' ;;
    as_default) title='-include as_default.hpp, <boost/asio.hpp>' ;;
  esac
  # shellcheck disable=SC2046
  lines=$("$cxx" "${flags[@]}" -E -P $(arguments "$name") | wc -l)
  seconds=$(median "$work/$name.seconds")
  printf '%-42s %6s %7s %8s\n' "$title" "$seconds" \
    "$(awk -v a="$seconds" -v b="$stock" 'BEGIN { printf "%.3f", a / b }')" "$lines"
done
