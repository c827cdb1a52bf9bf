#!/usr/bin/env bash
# Builds some suites with many compilers, options and libraries, runs them, and prints a table in Markdown:
#
#   tools/matrix.sh                    everything below, on this Debian and on newer ones in chroots (needs root)
#   tools/matrix.sh --here [BUILD...]  on this system only: BUILD is a compiler with its options, in one argument
#
# Each build runs on the ring, on the completion path and on the fallback. A compiler that is not installed has a row that
# says so. The exit code is 0 only if every build ran and passed. Chroots: tools/test-distribution.sh; the whole suite in
# one of them is its default.
# Environment: SUITES, the suites of test/suites.cmake to be built, such as SUITES="streams files".
set -euo pipefail
exec </dev/null
cd "$(dirname "$0")/.."

suites=${SUITES:-sockets streams cancel files file_operations receive_stream}
builds=(
  "g++ -std=c++20"
  "g++ -std=c++23 -O2"
  "g++ -std=c++20 -fno-rtti"
  "g++ -std=c++20 -m32 -D_FILE_OFFSET_BITS=64"
  "aarch64-linux-gnu-g++ -std=c++20"
  "clang++-14 -std=c++20"
  "clang++-16 -std=c++20"
  "clang++-19 -std=c++20"
  "clang++-19 -std=c++23 -stdlib=libc++"
)
chroots=("trixie" "--boost 1.88 trixie" "sid")
in_chroot=("g++ -std=c++20" "g++ -std=c++23" "clang++ -std=c++20")

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

# foreign ARCHITECTURE TRIPLET: the options to compile for another architecture, with the liburing of Debian's package for it.
foreign() {
  local root=$work/$1 triplet=$2
  if [[ ! -d $root ]]; then
    mkdir "$root"
    (
      cd "$root"
      dpkg --print-foreign-architectures | grep -qx "$1" || { dpkg --add-architecture "$1" && apt-get update -q; }
      apt-get download "liburing-dev:$1" "liburing2:$1"
      for package in *.deb; do dpkg -x "$package" .; done
      mkdir boost && ln -s /usr/include/boost boost/
    ) >&2
  fi
  echo "-Iboost_only -idirafter $root/usr/include -idirafter $root/usr/include/$triplet -L$root/usr/lib/$triplet -Wl,-rpath,$root/usr/lib/$triplet" |
    sed "s|boost_only|$root/boost|"
}

versions() {
  local compiler=$1 boost
  boost=$(sed -n 's/.*BOOST_LIB_VERSION "\(.*\)"/\1/p' /usr/include/boost/version.hpp | tr _ .)
  echo "Debian $(cat /etc/debian_version) | $("$compiler" --version | head -n 1 | sed -E 's/ \(.*\)//; s/Debian //') | $boost | $(pkg-config --modversion liburing)"
}

# compile COMPILER FLAG...: the suites into $work/tests, the runner included, for no library of Boost's is at hand for
# other architectures.
compile() {
  local suite
  rm -f "$work"/*.o "$work/tests"
  printf '#define BOOST_TEST_MODULE matrix\n#include <boost/test/included/unit_test.hpp>\n' >"$work/main.cpp"
  "$@" -I. -c "$work/main.cpp" -o "$work/main.o" || return
  for suite in $suites replaced_new; do
    "$@" -I. -include asio_uring/as_default.hpp -Wno-mismatched-new-delete -c "test/$suite.cpp" -o "$work/$suite.o" || return
  done
  "$@" "$work"/*.o -o "$work/tests" -luring -pthread
}

runs_32_bits() { echo 'int main() {}' | g++ -m32 -x c++ - -o "$work/empty" && "$work/empty" 2>/dev/null; }

# Runs the suites; prints how many cases there are.
run() {
  local setting
  for setting in ASIO_URING_PATH=readiness ASIO_URING_PATH=completion ASIO_URING_BACKEND=fallback; do
    env "$setting" timeout 600 "$@" "$work/tests" --log_level=error >"$work/log" 2>&1 ||
      { tail -n 20 "$work/log" >&2; echo "$setting"; return 1; }
  done
  sed -n 's/^Running \([0-9]*\) test cases.*/\1/p' "$work/log"
}

try() {
  local command=$1 build extra=() runner=() result
  read -ra build <<<"$command"
  if ! command -v "${build[0]}" >/dev/null; then
    echo "| | ${build[0]} | | | \`${command#* }\` | | not installed |"
    failed=1
    return
  fi
  case $command in
    aarch64-*)
      read -ra extra <<<"$(foreign arm64 aarch64-linux-gnu)"
      runner=(qemu-aarch64 -L /usr/aarch64-linux-gnu)
      ;;
    *\ -m32*)
      read -ra extra <<<"$(foreign i386 i386-linux-gnu) -idirafter /usr/include/x86_64-linux-gnu"
      runs_32_bits || runner=(qemu-i386)
      ;;
  esac
  if ! compile "${build[@]}" "${extra[@]}" 2>"$work/errors"; then
    grep -E 'error|undefined' "$work/errors" | cut -c1-300 | head >&2 || true
    result="| does not compile"
    failed=1
  elif result=$(run "${runner[@]}"); then
    result="$result | none"
  else
    result="| with $result"
    failed=1
  fi
  # An emulated processor comes with an emulated kernel interface, without io_uring.
  echo "| $(versions "${build[0]}") | \`${command#* }\`${runner:+, by ${runner[0]}: fallback} | $result |"
}

echo "| system | compiler | Boost | liburing | options | cases | failed |"
echo "|---|---|---|---|---|---:|---|"
if [[ ${1:-} == --here ]]; then
  shift
  if (($#)); then builds=("$@"); fi
  chroots=()
elif (($#)); then
  sed -n '2,/^set/{s/^# \?//p}' "$0" >&2
  exit 2
fi
for build in "${builds[@]}"; do try "$build"; done
for chroot in "${chroots[@]}"; do
  # shellcheck disable=SC2086 # options and a name
  tools/test-distribution.sh $chroot env SUITES="$suites" tools/matrix.sh --here "${in_chroot[@]}" | grep '^| Debian\|^| |' ||
    failed=1
done
exit $failed
