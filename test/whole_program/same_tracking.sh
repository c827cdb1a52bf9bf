#!/usr/bin/env bash
# same_tracking.sh STOCK OURS: both programs, compiled with BOOST_ASIO_ENABLE_HANDLER_TRACKING, must report
# the same operations, locations and results. Times, addresses, numbers, order and the reactor's own
# operations may differ.
set -euo pipefail

tracking() {
  local output
  output=$("$1" 2>&1)
  sed -E 's/^@asio\|[0-9.]+\|[^|]*\|//; s/@0x[0-9a-f]+//; s|\([^()]*/|(|' <<<"$output" | grep -Ev '^(|non_blocking.*)$' | sort
}

stock=$(tracking "$1") ours=$(tracking "$2")
[[ $stock == *socket.async_receive* && $stock == *"in 'accepted'"* ]]
diff <(echo "$stock") <(echo "$ours")
