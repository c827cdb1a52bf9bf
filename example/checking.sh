# checking.sh: common parts of the checks of examples that use asio_uring's names. To be sourced, with the
# program as $1: functions start and stop it, and $work is a directory that is removed at the end.
set -u
[[ ${CHECK_IS_BOUNDED:-} ]] || CHECK_IS_BOUNDED=1 exec timeout 110 "$0" "$@"
program=$1
name=${program##*/}
host=127.0.0.1
work=$(mktemp -d)
servers=()

finish() {
  local code=$? job
  for job in "${servers[@]}" $(jobs -p); do kill -KILL "$job" 2>/dev/null; done
  wait 2>/dev/null
  rm -rf "$work"
  exit "$code"
}
trap finish EXIT
trap 'exit 1' TERM INT

fail() {
  echo "$name: FAILED: $*" >&2
  [[ -s $work/errors ]] && sed 's/^/  program: /' "$work/errors" >&2
  exit 1
}

passed() { echo "$name: $*"; }

# eventually COMMAND...: waits until COMMAND succeeds.
eventually() {
  local until=$((SECONDS + 30))
  until "$@"; do
    ((SECONDS < until)) || return 1
    sleep 0.05
  done
}

# start ARGUMENT...: starts the program; sets $server to its process and $port; its output is in $work/output
# and $work/errors.
start() {
  : >"$work/output"
  "$program" "$@" >"$work/output" 2>"$work/errors" &
  server=$!
  servers+=("$server")
  eventually grep -q '^listening on ' "$work/output" || fail "does not say 'listening on'"
  port=$(sed -n 's/^listening on .*:\([1-9][0-9]*\)$/\1/p' "$work/output")
  [[ $port ]] || fail "no port in '$(<"$work/output")'"
}

gone() { ! kill -0 "$server" 2>/dev/null; }

# stop SIGNAL: it must end by itself with exit code 0.
stop() {
  kill -"$1" "$server"
  eventually gone || fail "still running after SIG$1"
  wait "$server"
  local code=$?
  ((code == 0)) || fail "exit code $code after SIG$1"
  [[ ! -s $work/errors ]] || fail "wrote to standard error"
  passed "clean stop on SIG$1"
}

# refused CODE WORD ARGUMENT...: the program must exit with CODE and print WORD.
refused() {
  local expected=$1 word=$2 code
  shift 2
  timeout 10 "$program" "$@" >/dev/null 2>"$work/refusal"
  code=$?
  ((code == expected)) || fail "exit code $code instead of $expected with arguments '$*'"
  grep -q -- "$word" "$work/refusal" || fail "does not say '$word' with arguments '$*'"
}
