#!/bin/sh
# test/conformance/compare.sh: whether two builds of the conformance program print the same.
#
#   compare.sh STOCK OTHER [scenario]
#
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

directory=$(mktemp -d) || exit 2
trap 'rm -rf "$directory"' EXIT
"$1" $3 >"$directory/stock" || { echo "$1 failed"; exit 2; }
"$2" $3 >"$directory/other" || { echo "$2 failed"; diff "$directory/stock" "$directory/other"; exit 2; }
if grep -n 'WORK IS LEFT\|NOTHING ARRIVED\|ended by exception\|difference", false' "$directory/stock"; then
  echo "stock Asio does not do what the scenario expects"
  exit 1
fi
diff -U3 --show-function-line='^[a-z]' "$directory/stock" "$directory/other"
