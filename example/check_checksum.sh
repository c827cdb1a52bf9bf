#!/usr/bin/env bash
# Compares the example checksum with find and sha256sum: check_checksum.sh PROGRAM. Exit code 0 only if all is well.
set -eu
export LC_ALL=C
program=$1
scripts=$(dirname "$(realpath "$0")")
work=$(mktemp -d)
trap 'touch "$work/enough"; wait; chmod -R u+rwx "$work"; rm -rf "$work"' EXIT
mkdir "$work/here"
cd "$work/here"

fail() { echo "checksum: FAILED: $*" >&2 && exit 1; }
# shellcheck source=check_progress.sh
source "$scripts/check_progress.sh"

# same CODE PATH…: the program must print what find and sha256sum do, and exit with CODE.
same() {
  local expected=$1 code=0
  shift
  find "$@" -type f -print0 2>/dev/null | sort -z | xargs -0r sha256sum >../expected.txt 2>/dev/null || true
  timeout 60 $as "$program" "$@" >../printed.txt 2>../errors.txt || code=$?
  ((code == expected)) || fail "$*: exit status $code instead of $expected: $(<../errors.txt)"
  cmp ../expected.txt ../printed.txt || fail "$*: prints something else"
}
as=

mkdir empty tree
same 0 empty
for size in 0 1 65535 65536 65537 3000001; do head -c "$size" /dev/urandom >"tree/$size"; done
echo hidden >tree/.hidden
for name in 'with space' $'with\nnewline' 'with\backslash' $'\r' '-n'; do echo "$name" >"tree/$name"; done
same 0 tree
same 0 tree/ "./tree/65536"
same 0 .

deep=tree
for i in {1..150}; do
  deep+=/directory$i
  mkdir "$deep"
  echo "$i" >"$deep/file"
done
for i in {1..3000}; do echo "$i" >"tree/directory1/$i"; done
same 0 tree

ln -s ../tree tree/link-to-directory
ln -s 65536 tree/link-to-file
ln -s nowhere tree/link-to-nothing
mkfifo tree/fifo
ln -s tree link
same 0 tree link
[[ ! -s ../errors.txt ]] || fail "speaks of links or special files: $(<../errors.txt)"

# Some files cannot be read; the others must be hashed.
echo secret >tree/secret
mkdir tree/closed
echo inside >tree/closed/file
chmod 000 tree/secret tree/closed
if ((EUID == 0)); then
  chmod o+rx .. .
  as="setpriv --reuid 65534 --clear-groups"
fi
mv tree/secret tree/closed .. # hides them from find and sha256sum, which may run as root
same 0 tree
cp ../expected.txt ../expected_without.txt
mv ../secret ../closed tree
code=0
timeout 60 $as "$program" tree >../printed.txt 2>../errors.txt || code=$?
((code == 1)) || fail "unreadable: exit status $code"
cmp ../expected_without.txt ../printed.txt || fail "unreadable: prints something else"
grep -q 'tree/secret: Permission denied' ../errors.txt || fail "does not speak of the unreadable file"
grep -q 'tree/closed: Permission denied' ../errors.txt || fail "does not speak of the unreadable directory"
as=
rm -rf tree/secret tree/closed

! "$program" missing tree >../printed.txt 2>../errors.txt || fail "missing: exit status 0"
grep -q 'missing: No such file' ../errors.txt || fail "does not speak of what is missing"
cmp ../expected_without.txt ../printed.txt || fail "missing: prints something else"
! "$program" tree >/dev/full 2>../errors.txt || fail "a full device: exit status 0"
code=0
"$program" 2>/dev/null || code=$?
((code == 2)) || fail "no argument: exit status $code"

if [[ $program == *_blocking ]]; then
  refuses_option "$program" --progress 'this build shows no progress' tree
else
  shows_progress sparse "$program" tree sparse
fi
refuses_option "$program" --loud "unknown option '--loud'" tree

# Files come and go meanwhile; those that stay must always be listed.
(while [[ ! -e ../enough ]]; do
  for i in {1..20}; do echo "$i" >"tree/come-and-go-$i"; done
  rm -f tree/come-and-go-*
done) &
for _ in {1..20}; do
  code=0
  timeout 60 "$program" tree >../printed.txt 2>../errors.txt || code=$?
  ((code == 0)) || { ((code == 1)) && grep -q come-and-go ../errors.txt; } || fail "vanishing: exit status $code"
  ! grep -v 'come-and-go.*: No such file' ../errors.txt || fail "vanishing: complains of another"
  grep -v come-and-go ../printed.txt | cmp ../expected_without.txt - || fail "vanishing: lost something"
done
