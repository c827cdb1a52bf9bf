#!/usr/bin/env bash
# Builds the site of the documentation from README.md, doc/ and the public headers: build/docs/html/index.html. What
# doxygen warns of, and a public name that the reference lacks, is an error.
#
#   tools/docs.sh            builds it
#   tools/docs.sh --check    follows every link of it, too, and opens every page in a browser at two widths (their
#                            pictures are in build/docs/pictures), and compiles each block of README.md by itself
set -euo pipefail
cd "$(dirname "$0")/.."
exec </dev/null
check=
case ${1-} in
'') ;;
--check) check=yes ;;
*)
  echo "usage: tools/docs.sh [--check]" >&2
  exit 2
  ;;
esac

tools/install-dependencies.sh doxygen python3 ${check:+chromium chromium-driver}

out=build/docs
rm -rf "$out"
mkdir -p "$out"

# What users include (doc/design.md), and what of other headers they name.
mapfile -t headers < <(find asio_uring/*.hpp asio_uring/{ip,local,generic,posix,file_system} \
  asio_uring/ring/{linux_version,features}.hpp asio_uring/detail/engine/received_{buffer,datagram}.hpp \
  -name '*.hpp' ! -path asio_uring/config.hpp)
mapfile -t pages < <(find README.md CHANGELOG.md CONTRIBUTING.md SECURITY.md doc -name '*.md')

python3 tools/docs/prepare.py "$out/source" "${headers[@]}" "${pages[@]}"
doxygen tools/docs/Doxyfile
sed -i "s|$PWD/$out/source/||" "$out/warnings"
if [[ -s $out/warnings ]]; then
  cat "$out/warnings" >&2
  echo "docs: $(grep -c ': warning: ' "$out/warnings") warnings of doxygen's" >&2
  exit 1
fi
python3 tools/docs/names.py "$out/asio_uring.tag" "${headers[@]}"
if [[ $check ]]; then
  python3 tools/docs/check_site.py "$out/html" "$out/pictures"
  mkdir "$out/readme"
  python3 test/documentation/blocks.py --alone "$out/readme"
  for block in "$out"/readme/*.cpp; do
    c++ -std=c++20 -fsyntax-only -DBOOST_ASIO_DISABLE_BOOST_COROUTINE -I . "$block" || {
      echo "docs: a block of README.md does not stand alone: see the line that the compiler names" >&2
      exit 1
    }
  done
fi
echo "$out/html/index.html"
