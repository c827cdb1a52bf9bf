#!/usr/bin/env bash
# Tests the library on another Debian, in a chroot, starting from a fresh clone:
#
#   tools/test-distribution.sh [--boost VERSION] [--root DIR] trixie|sid [COMMAND...]
#
# VERSION    of Boost, such as 1.88, where the suite has several; otherwise its default
# DIR        the chroot, made if it is not there (about four minutes), else used again; otherwise in /var/tmp
# COMMAND    run in the clone; otherwise tools/demo.sh, tools/test.sh and tools/test-standalone.sh
#
# Needs root. The kernel is this machine's; the compilers are the suite's g++ and clang. Prints the versions;
# the exit code is that of the commands. Mounts are visible to this script only, and end with it.
set -euo pipefail
exec </dev/null

fail() {
  echo "test-distribution: $*" >&2
  exit 1
}
usage() {
  sed -n '2,/^set/{s/^# \?//p}' "$0" >&2
  exit 2
}

boost=
root=
while [[ ${1:-} == --* ]]; do
  (($# >= 2)) || usage
  case $1 in
    --boost) boost=$2 ;;
    --root) root=$2 ;;
    *) usage ;;
  esac
  shift 2
done
(($#)) || usage
suite=$1
shift
(($#)) || set -- bash -c 'tools/demo.sh && tools/test.sh && tools/test-standalone.sh'
root=${root:-/var/tmp/asio_uring-$suite${boost:+-boost$boost}}
((EUID == 0)) || fail "needs root, to make and enter a chroot"
cd "$(dirname "$0")/.."

make_root() {
  echo "Making $root ..." >&2
  tools/install-dependencies.sh debootstrap
  debootstrap --variant=minbase "$suite" "$root" "${DEBIAN_MIRROR:-http://deb.debian.org/debian}" >"$root.log" ||
    { tail "$root.log" >&2; fail "no $suite: $root.log"; }
  # A mirror may be a snapshot.
  echo 'Acquire::Check-Valid-Until "false";' >"$root/etc/apt/apt.conf.d/90snapshot"
}

inside() { env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive chroot "$root" "$@"; }

versions() {
  inside bash -c '
    echo "Debian $(cat /etc/debian_version), Linux $(uname -r), liburing $(pkg-config --modversion liburing)," \
      "Boost $(sed -n "s/.*BOOST_LIB_VERSION \"\(.*\)\"/\1/p" /usr/include/boost/version.hpp | tr _ .)," \
      "g++ $(g++ -dumpfullversion), clang $(clang -dumpversion)"'
}

# A mount namespace of our own: nothing is left mounted, however this ends.
if [[ ! ${ASIO_URING_UNSHARED:-} ]]; then
  [[ -e $root/etc/apt/apt.conf.d/90snapshot ]] || make_root
  ASIO_URING_UNSHARED=1 exec unshare --mount --propagation private "tools/${0##*/}" \
    ${boost:+--boost "$boost"} --root "$(realpath "$root")" "$suite" "$@"
fi
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount --rbind /sys "$root/sys"
cp /etc/resolv.conf "$root/etc/"

rm -rf "$root/asio_uring"
git clone --quiet --no-local . "$root/asio_uring"
inside bash -c "apt-get update -q >&2 &&
  apt-get install -q -y --no-install-recommends ${boost:+libboost$boost-dev} ca-certificates >&2 &&
  cd /asio_uring && tools/install-dependencies.sh clang ccache git"

versions
code=0
inside bash -c 'cd /asio_uring && exec "$@"' bash "$@" || code=$?
versions
exit $code
