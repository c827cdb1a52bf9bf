#!/usr/bin/env bash
# Runs the shell commands of README.md and the tutorial, as they are printed: the blocks that begin with "```sh try".
#
#   tools/try_pages.sh                       here, in this checkout
#   tools/try_pages.sh -C FOLDER [COMMAND…]  in a checkout at FOLDER, by COMMAND, such as `chroot /srv/trixie`, which is
#                                            given `bash -euxc BLOCK` as its last arguments; FOLDER is as COMMAND sees it
set -euo pipefail
cd "$(dirname "$0")/.."

folder=$PWD
command=()
if [[ ${1-} == -C && ${2-} ]]; then
  folder=$2
  command=("${@:3}")
elif (($#)); then
  echo "usage: tools/try_pages.sh [-C FOLDER [COMMAND...]]" >&2
  exit 2
fi

# blocks PAGE: each block, ended by a NUL.
blocks() {
  awk '/^```/ { if (inside) { printf "%c", 0; inside = 0 } else inside = $0 == "```sh try"; next } inside' "$1"
}

count=0
for page in README.md doc/tutorial/*.md; do
  [[ -r $page ]] || exit 1
  while IFS= read -r -d '' block; do
    echo "== $page: ${block%%$'\n'*}"
    "${command[@]}" bash -euxc "cd '$folder'; $block" </dev/null || {
      echo "try_pages: a block of $page ended with $?" >&2
      exit 1
    }
    count=$((count + 1))
  done < <(blocks "$page")
done
echo "try_pages: $count blocks did what they say"
((count > 0))
