#!/usr/bin/env bash
# Downloads from the example tls_file_server: check_tls_file_server.sh PROGRAM. Needs curl and openssl.
# shellcheck source=checking.sh
source "${BASH_SOURCE%/*}/checking.sh"

root=$work/root
mkdir -p "$root/directory" "$work/outside"
echo secret >"$work/outside/secret"
: >"$root/none"
for size in 1 16384 16385 131072 131073 1000003; do head -c "$size" /dev/urandom >"$root/$size"; done
head -c 33554432 /dev/urandom >"$root/32MiB"
mkfifo "$root/fifo"
ln -s ../outside/secret "$root/escaping-link"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost \
  -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout "$work/key" -out "$work/certificate" 2>"$work/openssl" ||
  fail "openssl: $(<"$work/openssl")"

start "$root" 0 "$work/certificate" "$work/key"
site=https://$host:$port

# https EXPECTED-CODE CURL-ARGUMENT...: the answer's head in $work/head, its body in $work/body.
https() {
  local expected=$1 code
  shift
  : >"$work/body"
  code=$(curl -sk --max-time 30 --path-as-is -D "$work/head" -o "$work/body" -w '%{http_code}' "$@") ||
    fail "curl $*: error $?"
  [[ $code == "$expected" ]] || fail "curl $*: $code instead of $expected"
}

for file in none 1 16384 16385 131072 131073 1000003 32MiB; do
  https 200 "$site/$file"
  cmp "$root/$file" "$work/body" || fail "$file differs"
done
https 200 --cacert "$work/certificate" --no-insecure "$site/1000003"
https 200 --tlsv1.2 --tls-max 1.2 "$site/1000003"
cmp "$root/1000003" "$work/body" || fail "by TLS 1.2: differs"
https 200 -I "$site/32MiB"
grep -qi $'^content-length: 33554432\r$' "$work/head" || fail "HEAD without Content-Length"
passed "files, whole"

https 404 "$site/missing"
https 404 "$site/directory"
https 404 "$site/fifo"
https 405 -X DELETE "$site/1"
for escape in /../outside/secret /directory/../../outside/secret /escaping-link; do https 403 "$site$escape"; done
[[ $(curl -sk --max-time 20 -o /dev/null -w '%{num_connects} ' "$site/1" --next -sk -o /dev/null -I \
  -w '%{num_connects} ' "$site/1" --next -sk -o /dev/null -o /dev/null -w '%{num_connects} ' \
  "$site/missing" "$site/1000003") == '1 0 0 0 ' ]] || fail "the connection is not kept"
passed "404, 405, 403, keep-alive"

# The certificate is checked, and the end of the stream comes from the server, not from an attacker.
printf 'GET /131073 HTTP/1.0\r\n\r\n' | timeout 20 openssl s_client -connect "$host:$port" -CAfile "$work/certificate" \
  -verify_return_error -quiet -ign_eof >"$work/raw" 2>"$work/openssl" || fail "s_client: $(<"$work/openssl")"
cmp "$root/131073" <(tail -c 131073 "$work/raw") || fail "s_client: differs"
[[ $(head -n 1 "$work/raw") == 'HTTP/1.0 200 '* ]] || fail "s_client: no HTTP/1.0 200"
# Clients that do not speak TLS, or send nothing, do no harm.
curl -s --max-time 20 "http://$host:$port/1" >/dev/null && fail "HTTP without TLS is answered"
exec 3<>"/dev/tcp/$host/$port"
passed "s_client, and who does not speak TLS"

jobs=()
for i in {1..8}; do
  curl -sk --max-time 60 $([[ $i != 1 ]] || echo --limit-rate 16M) -o "$work/body.$i" "$site/32MiB" &
  jobs+=($!)
done
curl -sk --max-time 0.05 -o /dev/null "$site/32MiB" # disconnects in the middle
for job in "${jobs[@]}"; do wait "$job" || fail "8 clients at once"; done
for i in {1..8}; do cmp "$root/32MiB" "$work/body.$i" || fail "32 MiB to client $i of 8 differ"; done
passed "32 MiB to each of 8 clients at once"

refused 2 usage
refused 2 "'70000' is not a port" "$root" 70000 "$work/certificate" "$work/key"
refused 1 "No such file" "$work/missing" 0 "$work/certificate" "$work/key"
refused 1 . "$root" 0 "$work/key" "$work/key"
refused 1 "in use" "$root" "$port" "$work/certificate" "$work/key"
stop TERM
start "$root" 0 "$work/certificate" "$work/key"
stop INT
passed "all well"
