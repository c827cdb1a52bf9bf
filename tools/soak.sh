#!/usr/bin/env bash
# Runs a mixed load with faults, for ten minutes or that long: tools/soak.sh [SECONDS]
# Exit code 0 only if nothing was lost or wrong, no descriptor leaked and memory stayed flat: see
# test/soak/main.cpp.
# Environment: ASIO_URING_PATH, ASIO_URING_PUMP and ASIO_URING_BACKEND choose the configuration; STOCK=1 runs
# the same program on stock Asio.
set -euo pipefail
cd "$(dirname "$0")/.."

program=soak${STOCK:+_stock}
cmake --preset release -DASIO_URING_BUILD_EXAMPLES=OFF -DASIO_URING_BUILD_BENCH=OFF >/dev/null
cmake --build --preset release --target "$program" >/dev/null
exec "build/release/test/$program" "${1:-600}"
