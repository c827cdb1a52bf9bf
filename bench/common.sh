# Sourced by the scripts of this folder: builds the programs, knows the sides, starts and stops servers, keeps results.
# Environment: BUILD (build directory), CORE (the core that everything runs on), SIDES, CMAKE_ARGS, PEERS (servers of
# other people: "NAME=COMMAND NAME=COMMAND", echo servers started with --tcp PORT), RESULTS (what `record` appends to).

set -euo pipefail
bench=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
BUILD=${BUILD:-$bench/../build-bench}
CORE=${CORE:-$(($(nproc) - 1))}
# For ten thousand connections and whatever else a server opens.
ulimit -n 10500 2>/dev/null || ulimit -n "$(ulimit -H -n)"

if [[ ! ${BUILT:-} ]]; then
  cmake -S "$bench" -B "$BUILD" -DCMAKE_BUILD_TYPE=Release ${CMAKE_ARGS:-} >/dev/null
  cmake --build "$BUILD" >/dev/null
  BUILD=$(cd "$BUILD" && pwd)
  export BUILD BUILT=yes # for scripts that this one starts
fi

scratch=$(mktemp -d)
server=
trap 'stop; rm -rf "$scratch"' EXIT

declare -A peers=()
for peer in ${PEERS:-}; do peers[${peer%%=*}]=${peer#*=}; done

# System calls are expensive for a traced or simulated program, so the default would choose another path than
# usual.
counted_sides="epoll asio-uring ours-completion ours-readiness"
raw_sides="raw-epoll raw-oneshot raw-multishot raw-poll"
all_sides="epoll asio-uring $raw_sides ${!peers[*]} ours ours-completion ours-readiness"

# environment_of SIDE: what selects the side at run time.
environment_of() {
  case $1 in
    ours-completion) echo ASIO_URING_PATH=completion ;;
    ours-readiness) echo ASIO_URING_PATH=readiness ;;
    ours-guest) echo ASIO_URING_PUMP=guest ;;
  esac
}

# command_of SIDE PROGRAM [SOCKET [ARGUMENTS]]: the command line, without an address. Fails if there is none:
# hand-written servers only echo, and have no modes.
command_of() {
  local side=$1 program=$2 socket=${3:-tcp} arguments=${4:-} command=
  case $program:$side in
    file_read:liburing) command="file_read --via liburing" ;;
    file_read:pool-*) command="file_read --via pool --threads ${side#pool-}" ;;
    file_read:asio-uring) command="file_read_asio_uring_backend --via asio" ;;
    file_read:ours*) command="file_read_uring --via asio" ;;
    write_ahead_log:pool* | write_ahead_log:chain) command="write_ahead_log --via $side" ;;
    file_read:* | write_ahead_log:*) ;;
    *:epoll) command=$program ;;
    *:asio-uring) command=${program}_asio_uring_backend ;;
    echo_server:ours-spin) command="echo_server_uring --spin 50" ;;
    *:ours-spin) ;;
    *:ours*) command=${program}_uring ;;
    echo_server:*)
      if [[ $arguments ]]; then return 1; fi
      case $socket:$side in
        udp:raw-*) command="raw_udp --path ${side#raw-}" ;;
        *:raw-epoll) command=raw_epoll ;;
        *:raw-*) command="raw_uring --path ${side#raw-}" ;;
        tcp:*) [[ -v peers[$side] ]] && echo "${peers[$side]}" && return ;;
      esac
      ;;
  esac
  [[ $command && -x $BUILD/${command%% *} ]] && echo "$BUILD/$command $arguments"
}

# sides_of PROGRAM SOCKET ARGUMENTS CANDIDATE…: those of the candidates that exist; SIDES overrides the candidates.
sides_of() {
  local side sides=
  for side in ${SIDES:-${*:4}}; do
    if command_of "$side" "$1" "$2" "$3" >/dev/null; then sides+="$side "; fi
  done
  echo "$sides"
}

# Each server gets a new address, in all scripts: a ring keeps its listening socket for some time after the
# process has ended, and clients that connect to it meanwhile are disconnected.
new_address() { # tcp|udp|unix
  local addresses
  addresses=$(($(cat "$BUILD/addresses" 2>/dev/null || echo $RANDOM) + 1))
  echo $addresses >"$BUILD/addresses"
  if [[ $1 != unix ]]; then
    address="--$1 $((20000 + addresses % 10000))"
  else
    address="--unix $scratch/$addresses"
  fi
}

# How server and load are scheduled: on one core, neither may preempt the other when it wakes it.
policy="-b 0"

# on CORES COMMAND…
on() { taskset -c "$1" chrt $policy "${@:2}"; }

# start SIDE COMMAND…: starts a server in the background, on $server_cores or the core; sets $server.
start() {
  # The commands replace one another by exec: the process is the server's.
  env $(environment_of "$1") taskset -c "${server_cores:-$CORE}" chrt $policy "${@:2}" $address &
  server=$!
}

stop() {
  [[ -n $server ]] || return 0
  kill "$server" 2>/dev/null || true
  wait "$server" || echo "server ended with $?" >&2
  server=
}

load() { on "$CORE" "$BUILD/load" $address "$@"; }

# key SETTING WORKLOAD SIDE ROUND: the beginning of a run's line.
key() { printf '{"setting":"%s","workload":"%s","side":"%s","round":%s,\n' "$@"; }

# record SETTING QUESTION WORKLOAD SIDE ROUND NAME=NUMBER…: one line of JSON.
record() {
  [[ ${RESULTS:-} ]] || return 0
  printf '%s"question":"%s",%s}\n' "$(key "$1" "${@:3:3}")" "$2" \
    "$(sed -E 's/([a-z0-9_]+)=([^ ]+)/"\1":\2/g; s/ +/,/g' <<<"${*:6}")" >>"$RESULTS"
}

# recorded SETTING WORKLOAD SIDE ROUND: whether there is a line for that run.
recorded() { grep -qF "$(key "$@")" "${RESULTS:-/dev/null}"; }
