#!/usr/bin/env bash
# Runs one of the small examples and compares what it prints: check_files.sh PROGRAM. Exit code 0 only if all is well.
set -eu
program=$1
name=${program##*/}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

fail() { echo "$name: FAILED: $*" >&2 && exit 1; }
# prints TEXT ARGUMENT…
prints() {
  local expected=$1 printed
  shift
  printed=$(timeout 20 "$program" "$@") || fail "exit status $? for '$*'"
  [[ $printed == "$expected" ]] || fail "prints '$printed' instead of '$expected'"
}
# refuses CODE WORD ARGUMENT…
refuses() {
  local code=0
  timeout 20 "$program" "${@:3}" >/dev/null 2>errors || code=$?
  ((code == $1)) || fail "exit status $code instead of $1 for '${*:3}'"
  grep -q -- "$2" errors || fail "does not say '$2' for '${*:3}'"
}

refuses 2 usage
case $name in
  accept_count)
    timeout 20 "$program" 0 50 >output &
    server=$!
    for _ in {1..200}; do [[ -s output ]] && break || sleep 0.05; done
    port=$(sed 's/.*://' output)
    for _ in {1..50}; do timeout 20 nc -d 127.0.0.1 "$port" >>greetings; done
    seq -f 'you are number %g' 50 | cmp - greetings || fail "greets otherwise"
    wait "$server" || fail "exit status $? after the last connection"
    ;;
  echo_standalone)
    timeout 20 "$program" 0 >output &
    server=$!
    for _ in {1..200}; do grep -q listening output && break || sleep 0.05; done
    port=$(sed -n 's/.*listening.*://p' output)
    head -c 1000000 /dev/urandom >sent
    for _ in {1..5}; do timeout 20 nc -N 127.0.0.1 "$port" <sent | cmp - sent || fail "echoes otherwise"; done
    kill -TERM "$server"
    wait "$server" || fail "exit status $? after SIGTERM"
    ;;
  read_two_ways)
    seq -s ' ' 100 >file
    part=$(tail -c +11 file | head -c 66)
    prints "waited: $part"$'\n'"awaited: $part" file 10
    prints 'waited: 100'$'\n\n''awaited: 100' file "$(($(stat -c %s file) - 4))"
    prints 'waited: '$'\n''awaited: ' file 10000
    refuses 1 'No such file' missing 0
    refuses 1 'Is a directory' . 0
    ;;
  copy_first_block)
    for size in 0 1 1024; do
      head -c "$size" /dev/urandom >source
      echo 'old contents' >target
      prints "copied $size bytes" source target
      cmp source target || fail "$size bytes differ"
    done
    head -c 5000 /dev/urandom >source
    prints 'copied 1024 bytes' source target
    head -c 1024 source | cmp - target || fail "the first 1024 bytes differ"
    refuses 1 'No such file' missing target
    refuses 1 'No space' source /dev/full
    ;;
  owned_buffer)
    for size in 0 1 4095 4096 4097 1000003; do
      head -c "$size" /dev/urandom >file
      timeout 20 "$program" file | cmp - file || fail "$size bytes differ"
    done
    refuses 1 'No such file' missing
    ;;
  *) fail "no check for this program" ;;
esac
