# Sourced by the scripts of this folder: builds the programs, knows the sides, starts and stops servers.
# Environment: BUILD (build directory), CORE (the core that everything runs on), SIDES, CMAKE_ARGS.

set -euo pipefail
bench=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
BUILD=${BUILD:-$bench/../build-bench}
CORE=${CORE:-$(($(nproc) - 1))}
ulimit -n 4096 2>/dev/null || ulimit -n "$(ulimit -H -n)"

cmake -S "$bench" -B "$BUILD" -DCMAKE_BUILD_TYPE=Release ${CMAKE_ARGS:-} >/dev/null
cmake --build "$BUILD" >/dev/null
BUILD=$(cd "$BUILD" && pwd)

scratch=$(mktemp -d)
server=
trap 'stop; rm -rf "$scratch"' EXIT

asio_sides="epoll asio-uring ours ours-completion ours-readiness"
raw_sides="raw-epoll raw-oneshot raw-multishot raw-poll"

# environment_of SIDE: what selects the side at run time.
environment_of() {
  case $1 in
    ours-completion) echo ASIO_URING_PATH=completion ;;
    ours-readiness) echo ASIO_URING_PATH=readiness ;;
    ours-guest) echo ASIO_URING_PUMP=guest ;;
  esac
}

# command_of SIDE echo|http: the server's command line, without its address. Fails where there is none.
command_of() {
  local name=$2_server
  case $1 in
    epoll) ;;
    asio-uring) name+=_asio_uring_backend ;;
    ours | ours-*) name+=_uring ;;
    raw-epoll) name=raw_epoll ;;
    raw-*) name="raw_uring --path ${1#raw-}" ;;
    *) echo "unknown side $1" >&2 && return 1 ;;
  esac
  [[ $2 == echo || $1 != raw-* ]] && [[ -x $BUILD/${name%% *} ]] && echo "$BUILD/$name"
}

# sides_of echo|http CANDIDATE…: those of the candidates that exist; SIDES overrides the candidates.
sides_of() {
  local kind=$1 side sides=
  shift
  for side in ${SIDES:-$*}; do
    if command_of "$side" "$kind" >/dev/null; then sides+="$side "; fi
  done
  echo "$sides"
}

# New address for each server: a ring lets go of its listening socket some time after the process has ended.
addresses=0
new_address() { # tcp|udp|unix
  addresses=$((addresses + 1))
  if [[ $1 != unix ]]; then
    address="--$1 $((20000 + ($$ * 7 + addresses) % 10000))"
  else
    address="--unix $scratch/$addresses"
  fi
}

# start SIDE COMMAND…: in the background, on the core; sets $server.
start() {
  env $(environment_of "$1") taskset -c "$CORE" chrt -b 0 "${@:2}" $address &
  server=$!
}

stop() {
  [[ -n $server ]] || return 0
  kill "$server" 2>/dev/null || true
  wait "$server" || echo "server ended with $?" >&2
  server=
}

load() { taskset -c "$CORE" chrt -b 0 "$BUILD/load" $address "$@"; }
