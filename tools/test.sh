#!/usr/bin/env bash
# Builds and runs the tests: tools/test.sh [--long|--asan|--tsan|--valgrind]
# --long: with those tests that take long and rarely fail, and builds the benchmarks, too.
# The last lines are CTest's summary, the exit code is CTest's.
set -euo pipefail
cd "$(dirname "$0")/.."
exec </dev/null

preset=release
options=(-DASIO_URING_BUILD_BENCH=OFF)
run=()
packages=(libboost-tools-dev) # b2
case "${1:-}" in
  '') ;;
  --long) options=(-DASIO_URING_TEST_LONG=ON) ;;
  --asan) preset=asan ;;
  --tsan)
    preset=tsan
    # ThreadSanitizer of g++ 12 does not support all address layouts of the kernel.
    if setarch "$(uname -m)" -R true 2>/dev/null; then run=(setarch "$(uname -m)" -R); fi
    ;;
  --valgrind)
    preset=valgrind
    packages+=(valgrind)
    ;;
  *)
    echo "usage: tools/test.sh [--long|--asan|--tsan|--valgrind]" >&2
    exit 2
    ;;
esac

tools/install-dependencies.sh "${packages[@]}"
cmake --preset "$preset" "${options[@]}"
cmake --build --preset "$preset" --parallel "$(nproc)"
exec "${run[@]}" ctest --preset "$preset" --parallel 3 --no-tests=error 2>&1
