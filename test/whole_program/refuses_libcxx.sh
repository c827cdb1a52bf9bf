#!/usr/bin/env bash
# refuses_libcxx.sh CHECKOUT DIRECTORY: the linker must refuse a stock timer among units with as_default.hpp
# with libc++ as well. (Only that check is compiled here: libc++ supports everything else since version 19.)
set -euo pipefail
checkout=$1 out=$2/libcxx here=$(dirname "${BASH_SOURCE[0]}")
compile=(clang++ -std=c++20 -stdlib=libc++ -Wno-everything -c)
mkdir -p "$out"
echo '#include <vector>' | "${compile[@]}" -x c++ - -o "$out/probe.o" 2>/dev/null || {
  echo "skipped: no clang++ with libc++ here"
  exit 77
}

"${compile[@]}" "$here/timer.cpp" -o "$out/stock.o"
"${compile[@]}" -I "$checkout" -include asio_uring/detail/asio/mixed_units.hpp -x c++ - -o "$out/ours.o" <<<'int main() {}'
if said=$(clang++ -stdlib=libc++ "$out/ours.o" "$out/stock.o" -luring -o "$out/must_not_be_linked" 2>&1); then
  echo "linked"
  exit 1
fi
[[ $said == *compile_all_with_asio_uring_as_default.steady_timer_of_libcxx* ]] || {
  echo "$said"
  exit 1
}
