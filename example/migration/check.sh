#!/usr/bin/env bash
# Runs a program of doc/migration.md, as it was or as it has become: check.sh PROGRAM ECHO-SERVER, which is named
# NAME_before or NAME_after. Needs curl, nc (OpenBSD's) and openssl.
# shellcheck source=../checking.sh
source "${BASH_SOURCE%/*}/../checking.sh"

head -c 3000000 /dev/urandom >"$work/data"

echoes() {
  timeout 40 nc -N "$host" "$port" <"$work/data" >"$work/echo" || fail "nc: error $?"
  cmp "$work/data" "$work/echo" || fail "3 MB come back as something else"
  passed "3 MB come back"
}

case $name in
echo_*)
  start 0
  echoes
  ;;
proxy_*)
  "$2" 0 >"$work/behind" &
  servers+=($!)
  eventually grep -q '^listening on ' "$work/behind" || fail "no echo server behind it"
  start 0 "$host" "$(sed 's/.*://' "$work/behind")"
  # The echo server drops the connection at its client's end, so the client says nothing of one before it has all.
  exec 3<>"/dev/tcp/$host/$port"
  head -c 200000 "$work/data" >&3 &
  timeout 40 head -c 200000 <&3 | cmp - <(head -c 200000 "$work/data") || fail "200 kB come back as something else"
  exec 3>&-
  passed "200 kB come back"
  ;;
https_*)
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost \
    -addext subjectAltName=IP:127.0.0.1 -keyout "$work/key" -out "$work/certificate" 2>"$work/openssl" ||
    fail "openssl: $(<"$work/openssl")"
  start 0 "$work/certificate" "$work/key"
  for _ in 1 2 3; do
    answer=$(curl -s --max-time 20 --cacert "$work/certificate" "https://$host:$port/" "https://$host:$port/") ||
      fail "curl: error $?"
    [[ $answer == $'Hello, world!\nHello, world!' ]] || fail "answers '$answer'"
  done
  passed "answers six requests on three connections"
  ;;
file_server_*)
  cp "$work/data" "$work/file"
  start 0 "$work"
  for _ in 1 2 3; do
    echo file | timeout 40 nc "$host" "$port" >"$work/received" || fail "nc: error $?"
    cmp "$work/data" "$work/received" || fail "3 MB arrive as something else"
  done
  [[ ! $(echo missing | timeout 20 nc "$host" "$port") ]] || fail "sends a file that is not there"
  passed "sends 3 MB three times, and nothing of what is not there"
  ;;
esac

case $name in
*_before) [[ $(ls -l "/proc/$server/fd") != *io_uring* ]] || fail "is on io_uring already" ;;
*_after)
  descriptors=$(ls -l "/proc/$server/fd")
  [[ $descriptors == *'anon_inode:[io_uring]'* || ${ASIO_URING_BACKEND-} ]] || fail "is not on io_uring"
  ;;
esac
stop TERM
