#!/usr/bin/env bash
# Fuzzes programs on the simulated kernel, and options: tools/fuzz.sh [SECONDS]
# Each target runs for ten minutes, or that long; exit code 0 only if neither has found anything. Findings are
# left in build/fuzz, and repeated by build/fuzz/fuzz_TARGET FILE. With KEEP=1, inputs that reach code which
# none of test/fuzz/corpus does are added there, as few and as small as possible.
# Environment: CXX, a clang (clang++); TARGETS (program options).
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-600}
build=build/fuzz
mkdir -p "$build"
status=0
for target in ${TARGETS:-program options}; do
  program=$build/fuzz_$target
  "${CXX:-clang++}" -std=c++20 -O1 -g1 -fsanitize=fuzzer,address,undefined -fno-sanitize=vptr -I. \
    -DBOOST_ASIO_DISABLE_BOOST_COROUTINE "test/fuzz/$target.cpp" -o "$program" -luring -pthread
  mkdir -p "$build/found_$target" "test/fuzz/corpus/$target"
  "$program" -max_total_time="$seconds" -timeout=60 -print_final_stats=1 -verbosity=0 -max_len=4096 \
    -artifact_prefix="$build/$target-" "$build/found_$target" "test/fuzz/corpus/$target" || status=1
  if [ -n "${KEEP:-}" ]; then
    "$program" -merge=1 -max_len=512 "test/fuzz/corpus/$target" "$build/found_$target"
  fi
done
exit $status
