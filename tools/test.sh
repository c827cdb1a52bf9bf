#!/usr/bin/env bash
# Builds everything and runs every test: tools/test.sh [--asan|--tsan|--valgrind]
# The last lines are CTest's summary, the exit code is CTest's.
set -euo pipefail
cd "$(dirname "$0")/.."
exec </dev/null

preset=release
run=()
packages=(libboost-tools-dev) # b2
case "${1:-}" in
  '') ;;
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
    echo "usage: tools/test.sh [--asan|--tsan|--valgrind]" >&2
    exit 2
    ;;
esac

tools/install-dependencies.sh "${packages[@]}"
cmake --preset "$preset"
cmake --build --preset "$preset" --parallel "$(nproc)"
exec "${run[@]}" ctest --preset "$preset" --parallel 3 --no-tests=error 2>&1
