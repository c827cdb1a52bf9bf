#!/usr/bin/env bash
# Runs the tests on another kernel, in a virtual machine:
#
#   tools/test-kernel.sh [--build-dir DIR] [--tests REGEX] [--timeout SECONDS] [KERNEL]
#
# KERNEL     a Debian suite whose cloud kernel is taken, such as bookworm (the default, Linux 6.1), bullseye (5.10) or
#            bookworm-backports; or a file: a kernel package (.deb) or a bootable kernel image
# DIR        a build directory with the tests and example/uring_info built; otherwise the release preset is built
# REGEX      which of the tests, by their names in CTest; otherwise all but those of stock Asio, and those that leave a
#            newer kernel's features unused
# SECONDS    how long the machine may run, 3600 by default
#
# The guest is an initramfs with the test programs and their libraries, and an ext4 disk for their files; nothing is
# installed but qemu and small tools.
# Prints each test's result, then a table and what uring_info says there, for doc/kernels.md. The exit code is 0 only
# if every test passed.
set -euo pipefail
exec </dev/null

fail() {
  echo "test-kernel: $*" >&2
  exit 1
}

kernel=bookworm
build=
tests=
seconds=3600
while (($#)); do
  case $1 in
    --build-dir | --tests | --timeout)
      (($# >= 2)) || fail "$1 needs a value"
      case $1 in
        --build-dir) build=$(realpath "$2") ;;
        --tests) tests=$2 ;;
        --timeout) seconds=$2 ;;
      esac
      shift 2
      ;;
    -*)
      sed -n '2,/^set/{s/^# \?//p}' "$0" >&2
      exit 2
      ;;
    *)
      kernel=$1
      [[ $kernel != */* && $kernel != *.deb ]] || kernel=$(realpath "$kernel")
      shift
      ;;
  esac
done
cd "$(dirname "$0")/.."
[[ $(uname -m) == x86_64 ]] || fail "only x86_64 machines so far"

tools/install-dependencies.sh qemu-system-x86 busybox-static cpio e2fsprogs jq debian-archive-keyring

work=$(mktemp -d)
machine=
finish() {
  local code=$?
  [[ $machine ]] && kill "$machine" 2>/dev/null
  rm -rf "$work"
  exit "$code"
}
trap finish EXIT
trap 'exit 130' INT TERM

# download SUITE: sets package to the suite's kernel package, kept in build/kernels. apt uses lists of its own
# here, since the suite need not be one of this machine's.
download() {
  local cache=$PWD/build/kernels/$1 mirror=${DEBIAN_MIRROR:-http://deb.debian.org} name
  mkdir -p "$cache"/{state/lists/partial,cache/archives/partial}
  {
    local signed="[arch=amd64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]"
    echo "deb $signed $mirror/debian $1 main"
    [[ $1 == *-* ]] || echo "deb $signed $mirror/debian-security $1-security main"
  } >"$cache/sources.list"
  local apt=(-q -o Dir::State="$cache/state" -o Dir::State::status=/dev/null -o Dir::Cache="$cache/cache"
    -o Dir::Etc::SourceList="$cache/sources.list" -o Dir::Etc::SourceParts=/dev/null
    -o APT::Architecture=amd64 -o APT::Sandbox::User=root)
  apt-get "${apt[@]}" update >"$work/apt" 2>&1 || { cat "$work/apt" >&2; fail "no package lists of $1"; }
  # The metapackage depends on the package of the newest kernel.
  name=$(apt-cache "${apt[@]}" depends linux-image-cloud-amd64 | awk '$1 == "Depends:" && /linux-image-/ { print $2; exit }')
  [[ $name ]] || fail "$1 has no linux-image-cloud-amd64"
  (cd "$cache" && apt-get "${apt[@]}" download "$name" >"$work/apt" 2>&1) ||
    { cat "$work/apt" >&2; fail "$name cannot be downloaded"; }
  for package in "$cache/$name"_*.deb; do :; done
}

# Prints each result as it arrives, and the output of failed tests.
report() {
  local line name code seconds output=
  while IFS= read -r line; do
    case $line in
      @kernel*) echo "Linux ${line#* }" ;;
      @begin*) output= ;;
      '@end info'* | @done) ;;
      @end*)
        read -r _ name code seconds <<<"$line"
        if ((code)); then printf '%s%-40s FAILED %4d s\n' "$output" "$name" "$seconds"; else
          printf '%-40s passed %4d s\n' "$name" "$seconds"
        fi
        ;;
      ?*) output+="    $line"$'\n' ;;
    esac
  done
}

case $kernel in
  /*)
    [[ -f $kernel ]] || fail "no file $kernel"
    package=$kernel
    ;;
  *) download "$kernel" ;;
esac
image=$package
if [[ $package == *.deb ]]; then
  dpkg-deb -x "$package" "$work/package"
  for image in "$work"/package/boot/vmlinuz-*; do :; done
  [[ -f $image ]] || fail "no kernel in $package"
fi

if [[ ! $build ]]; then
  build=$PWD/build/release
  cmake --preset release >"$work/log" || { cat "$work/log" >&2; fail "configuring failed"; }
  cmake --build --preset release --parallel "$(nproc)" >"$work/log" 2>&1 || { cat "$work/log" >&2; fail "building failed"; }
fi
# Tests of programs in test/, as shell commands: run NAME TIMEOUT env NAME=VALUE... COMMAND...
ctest --test-dir "$build" --show-only=json-v1 ${tests:+-R "$tests"} >"$work/tests.json"
jq --arg programs "$build/test/" --arg all "$tests" '[
  .tests[] | select($all != "" or (.name | test("^(stock|kernel)\\.") | not))
  | if .command then . else error(.name + " is not built") end
  | select(.command[0] | startswith($programs))]' "$work/tests.json" >"$work/selected.json" || fail "the tests are not built"
jq -r '.[] | (.properties | from_entries) as $p
  | "run \(.name | @sh) \($p.TIMEOUT // 240) env \($p.ENVIRONMENT // [] | @sh) \(.command | @sh)"' \
  "$work/selected.json" >"$work/tests"
[[ -s $work/tests ]] || fail "no tests"
jq -r 'map(.command[0]) | unique[]' "$work/selected.json" >"$work/programs"
echo "$build/example/uring_info" >>"$work/programs"

# The guest's files, under the same paths as here.
root=$work/root
mkdir -p "$root"/{bin,dev,etc,proc,sys,tmp,var/tmp}
while read -r program; do
  [[ -x $program ]] || fail "$program is not built"
  mkdir -p "$root${program%/*}"
  strip -o "$root$program" "$program"
  ldd "$program" | grep -o '/[^ ]*' | xargs cp -L --parents -t "$root"
done <"$work/programs"
cp "$(command -v busybox)" "$root/bin/busybox"
cp "$work/tests" "$root/tests"
printf '127.0.0.1 localhost\n::1 localhost\n' >"$root/etc/hosts"
source=$(sed -n 's/^CMAKE_HOME_DIRECTORY:INTERNAL=//p' "$build/CMakeCache.txt")
mkdir -p "$root$source"
cp -r "$source/doc" "$root$source/doc" # some tests compare it

truncate -s 2G "$work/disk"
mke2fs -q -t ext4 -m 0 -E lazy_itable_init=1,lazy_journal_init=1 "$work/disk"

accelerator=tcg # emulation
factor=4        # for the time limits of tests
if [[ -w /dev/kvm ]] && grep -qE '^flags.* (vmx|svm)( |$)' /proc/cpuinfo; then
  accelerator=kvm
  factor=1
fi

# ttyS0 carries the results, ttyS1 is the kernel's console. Lines for this script begin with @.
cat >"$root/init" <<END
#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin HOME=/var/tmp TMPDIR=/var/tmp BOOST_TEST_COLOR_OUTPUT=no ASIO_URING_TEST_SLOWNESS=$factor
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir /dev/shm
mount -t tmpfs tmpfs /dev/shm
# Not on /tmp: the build directory may be there.
mount -t ext4 /dev/nvme0n1 /var/tmp || mount -t tmpfs tmpfs /var/tmp
cd /var/tmp
ip link set lo up
stty -F /dev/ttyS0 raw -echo
exec >/dev/ttyS0 2>&1 </dev/null

run() {
  name=\$1 limit=\$((\$2 * $factor))
  shift 2
  printf '\n@begin %s\n' "\$name"
  read -r start rest </proc/uptime
  timeout -s KILL \$limit "\$@"
  code=\$?
  read -r end rest </proc/uptime
  printf '\n@end %s %s %s\n' "\$name" \$code \$((\${end%.*} - \${start%.*}))
}

printf '\n@kernel %s\n@begin info\n' "\$(uname -r)"
awk '\$2 == "/var/tmp" { print "files on:", \$3 }' /proc/mounts
$build/example/uring_info
printf '\n@end info %s 0\n' \$?
. /tests
printf '\n@done\n'
sync
sleep 1
poweroff -f
END
chmod +x "$root/init"
(cd "$root" && find . | cpio --quiet -o -H newc -R 0:0) >"$work/initramfs"

timeout -k 5 "$seconds" qemu-system-x86_64 -accel $accelerator -cpu max -smp 2 -m 2G \
  -display none -nodefaults -no-reboot -serial file:"$work/output" -serial file:"$work/console" \
  -drive file="$work/disk",if=none,id=disk,format=raw,cache=unsafe -device nvme,drive=disk,serial=scratch \
  -kernel "$image" -initrd "$work/initramfs" -append "console=ttyS1 panic=-1 no_timer_check loglevel=5" 2>"$work/qemu" &
machine=$!
tail -n +1 -s 0.5 --pid=$machine -F "$work/output" 2>/dev/null | report &
wait $! || true # in the background, so that a signal ends us at once
wait $machine || true
machine=

sed -n 's/^@kernel //p' "$work/output" >"$work/release"
[[ -s $work/release ]] || { cat "$work/qemu" "$work/console" >&2; fail "the guest did not start"; }
# The kernel's own complaints.
grep -E 'WARNING:|BUG:|Oops|blocked for more than|Call Trace|panic|Out of memory' "$work/console" >&2 || true

awk '
  function group(name) { return match(name, /\.[^.]*$/) ? substr(name, 1, RSTART - 1) : name }
  $1 == "@begin" { name = $2 }
  /^Running [0-9]+ test case/ { cases[group(name)] += $2 }
  $1 == "@end" && $2 != "info" {
    g = group($2)
    if (!(g in run)) order[++groups] = g
    ++run[g]; seconds[g] += $4
    if ($3) failed[g] = failed[g] " " $2
  }
  END {
    print "\n| tests | suites | cases | seconds | failed |\n|---|---:|---:|---:|---|"
    for (i = 1; i <= groups; ++i) {
      g = order[i]
      print "| " g " | " run[g] " | " cases[g] " | " seconds[g] " |" (failed[g] ? failed[g] : " none") " |"
    }
  }' "$work/output"
printf '\nuname -r: %s (%s)\n\n' "$(<"$work/release")" "$accelerator"
sed -n '/^@begin info/,/^@end info/{/^@/!p}' "$work/output"

grep -q '^@end info 0' "$work/output" || echo "No io_uring there for the library: its fallback was tested."
[[ $(grep -v '^@end info' "$work/output" | grep -c '^@end .* 0 [0-9]*$') == $(wc -l <"$work/tests") ]] || fail "not every test passed"
grep -q '^@done' "$work/output" || { tail -n 20 "$work/console" >&2; fail "the guest did not come to its end"; }
