#!/usr/bin/env bash
# lint.sh: what no compiler checks. Prints what is not so, and fails.
set -euo pipefail
cd "$(dirname "$0")/.."
complaints=0
complain() {
  echo "$1"
  complaints=$((complaints + 1))
}

# doc/design.md: the floors, from the lowest. An include never points upwards, and what users include is above
# all floors but for a few headers without any machinery.
floors=(ring detail/asio detail/engine detail/op detail/object)
vocabulary='(config|unique_descriptor|options|enable_io_uring)\.hpp'

# includes_only FOLDER-OR-FILE WHAT, a regular expression.
includes_only() {
  local where=$1 what=$2 line
  while read -r line; do
    complain "$line: an include that points upwards"
  done < <(grep -rn '#include <asio_uring/' "asio_uring/$where" | grep -Ev "<asio_uring/($what|see_the_error_above)" || true)
}

layers() {
  local floor below folder
  includes_only ring ring/
  includes_only config.hpp ring/
  includes_only unique_descriptor.hpp nothing
  includes_only options.hpp 'config\.hpp|ring/'
  includes_only enable_io_uring.hpp 'config\.hpp'
  below="$vocabulary|ring/"
  for floor in "${floors[@]:1}"; do
    below+="|$floor/"
    includes_only "$floor" "$below"
  done
  for folder in asio_uring/*/ asio_uring/detail/*/; do
    folder=${folder#asio_uring/}
    [[ $folder == detail/ ]] || grep -q "^| .*\`$folder\`" doc/design.md || complain "doc/design.md: names no floor for $folder"
  done
}

# doc/design.md: ring/ is usable without Asio; whatever is Asio's own business is named in one room.
internals() {
  local line
  while read -r line; do
    complain "$line: ring/ does without Asio"
  done < <(grep -rnE 'include <boost/|boost::' asio_uring/ring || true)
  while read -r line; do
    complain "$line: belongs into detail/asio/"
  done < <(grep -rnE '\b(boost::)?asio::detail::|boost/asio/detail/|BOOST_ASIO_VERSION' asio_uring |
    grep -vE '^asio_uring/(detail/asio/|config\.hpp:)' || true)
}

# Files, macros, functions and tests that the documentation names.
documentation() {
  local page name
  for page in README.md CONTRIBUTING.md CHANGELOG.md doc/*.md; do
    while read -r name; do
      [[ -e $name || -e asio_uring/$name || -e $(dirname "$page")/$name ]] || complain "$page: there is no $name"
    done < <(grep -oE '`[a-z_]+/([a-z_/-]+\.[a-z]+)?`|\]\([^): ]+\)' "$page" | tr -d '`]()' | sed 's/#.*//' | sort -u)
    while read -r name; do
      grep -rqw "$name" asio_uring test example bench tools CMakeLists.txt || complain "$page: there is no $name"
    done < <(grep -oE '\b(ASIO_URING_[A-Z_]+|async_[a-z_]+)\b' "$page" | sort -u)
  done
}

# doc/opcodes.md: the opcodes of ring/opcodes.hpp, in its order, since the same kernels, with tests that are there.
opcodes() {
  local test
  diff <(sed -nE 's/^ +\{"([A-Z_0-9]+)", \{([0-9]+), ([0-9]+)\}.*/\1 \2.\3/p' asio_uring/ring/opcodes.hpp) \
    <(sed -nE 's/^\| ([A-Z_0-9]+) \|.*\| ([0-9]+\.[0-9]+)[^|]*\| [^|]*\|$/\1 \2/p' doc/opcodes.md) >&2 ||
    complain "doc/opcodes.md: is not what ring/opcodes.hpp says"
  while read -r test; do
    grep -q "TEST_CASE(${test#*/}" $(grep -l "TEST_SUITE(${test%/*}" test/*.cpp) </dev/null ||
      complain "doc/opcodes.md: there is no test $test"
  done < <(sed -nE 's/^\| [A-Z_0-9]+ .*\| ([a-z_]+\/[a-z_0-9]+) \|$/\1/p' doc/opcodes.md | sort -u)
}

# Each file says what it is, and its include guard is its name.
first_lines() {
  local file guard
  for file in $(find asio_uring -name '*pp'); do
    [[ $(head -n 1 "$file") == "// $file"* ]] || complain "$file: its first line does not begin with its name"
    guard=$(tr 'a-z/.' 'A-Z__' <<<"$file")
    grep -qx "#define $guard" "$file" || complain "$file: defines no $guard"
  done
}

test_sources() {
  local file
  for file in test/*.cpp test/whole_program/*.cpp; do
    grep -qw "$(basename "$file" .cpp)" "$(dirname "$file")/CMakeLists.txt" cmake/*.cmake || complain "$file: belongs to no test"
  done
}

# A file can be read at one sitting.
lengths() {
  local most folder file lines
  while read -r most folder; do
    while read -r lines file; do
      ((lines <= most)) || complain "$file: has $lines lines, and $most are the most: divide it by what it is about"
    done < <(find $folder -type f \( -name '*pp' -o -name '*.sh' -o -name '*.py' \) ! -name fallback_kernel.ipp -exec wc -l {} \;)
  done <<'END'
400 asio_uring
500 test bench example tools
END
}

# What ctest and doc/opcodes.md call a suite is the file that it is in.
suites() {
  local file suite
  while IFS=: read -r file suite; do
    suite=${suite#*\(}
    suite=${suite%%[,)]*}
    [[ $suite == "$(basename "$file" .cpp)" ]] || complain "$file: its suite is called $suite"
  done < <(grep -rE --include='*.cpp' '^BOOST_(AUTO|FIXTURE)_TEST_SUITE\(' test)
}

# The Jamfile links each test program with one main(). Building them all would not be quick.
jamfile() {
  local commands program
  command -v b2 >/dev/null || {
    echo "b2 is not installed: the Jamfile is not checked"
    return
  }
  if ! commands=$(b2 -n -a toolset=gcc cxxstd=20 test 2>&1); then
    if [[ $commands == *"Unable to load B2"* ]]; then # Debian's package of Boost 1.92
      echo "b2 lacks its build system: the Jamfile is not checked"
      return
    fi
    complain "Jamfile: b2 fails: $(tail -n 3 <<<"$commands")"
  fi
  for program in stock uring file as_type property; do
    [[ $(grep -E "^ +\"g\+\+\" +-o [^ ]*/${program}_tests\"" <<<"$commands" | grep -oE '(main|valgrind_enter)\.o"') == 'main.o"' ]] ||
      complain "Jamfile: ${program}_tests has not one main()"
  done
}

layers
internals
documentation
opcodes
first_lines
test_sources
lengths
suites
jamfile
((complaints == 0))
