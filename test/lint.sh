#!/usr/bin/env bash
# lint.sh: checks what no compiler does. Prints violations, and fails if there are any.
set -euo pipefail
cd "$(dirname "$0")/.."
complaints=0
complain() {
  echo "$1"
  complaints=$((complaints + 1))
}

# The floors of doc/design.md, from the lowest. An include never points upwards. Headers for users are above
# all floors, except a few headers without any machinery.
floors=(ring detail/asio detail/engine detail/op detail/object)
vocabulary='(config|misuse|version|unique_descriptor|options|enable_io_uring)\.hpp'

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
  includes_only config.hpp 'version\.hpp|ring/'
  includes_only version.hpp nothing
  includes_only unique_descriptor.hpp nothing
  includes_only misuse.hpp 'config\.hpp'
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

# As doc/design.md says, ring/ is usable without Asio, and Asio's private names are used in detail/asio/ only.
internals() {
  local line
  while read -r line; do
    complain "$line: ring/ does without Asio"
  done < <(grep -rnE 'include <boost/|boost::' asio_uring/ring || true)
  while read -r line; do
    complain "$line: belongs into detail/asio/"
  done < <(grep -rnE '\basio::detail::|ASIO_URING_ASIO\(detail/|ASIO_URING_ASIO_MACRO' asio_uring |
    grep -vE '^asio_uring/(detail/asio/|config\.hpp:)' || true)
}

# Only config.hpp knows which Asio it is, Boost.Asio or Asio without Boost. Exceptions are macros, which a
# macro cannot define, and messages that name them.
which_asio() {
  local line folder=asio_uring/detail/asio
  while read -r line; do
    complain "$line: names one of the two Asios; see config.hpp"
  done < <(grep -rnE 'boost(/|::)|namespace boost|BOOST_|\b(defined\(|undef |define |include <)(ASIO_[^U]|asio/)' asio_uring |
    grep -vE ':[0-9]+: *//|^asio_uring/(config|as_default|via)\.hpp:' |
    grep -vE "^$folder/(abi_tag|(late_|late_standalone_)macros|standalone_asio|boost_asio|file_base|basic_file)\.[hi]pp:" || true)
  diff <(sed -E 's|<boost/|<|; s/BOOST_(ASIO_)/\1/g; s/Boost\.(Asio)/\1/g
    s/(late)_macros/\1_standalone_macros/g; s/(LATE)_MACROS/\1_STANDALONE_MACROS/g
    5s|^|// clang-format off\n// late_macros.hpp with other names: test/lint.sh compares them.\n|' $folder/late_macros.hpp) \
    $folder/late_standalone_macros.hpp >&2 || complain "late_standalone_macros.hpp: is not late_macros.hpp with other names"
}

# Files, macros, functions and tests that the documentation names must exist.
documentation() {
  local page name
  for page in README.md CONTRIBUTING.md CHANGELOG.md SECURITY.md doc/*.md doc/tutorial/*.md; do
    while read -r name; do
      [[ -e $name || -e asio_uring/$name || -e $(dirname "$page")/$name ]] || complain "$page: there is no $name"
    done < <(grep -oE '`[a-z_]+/([a-z_/-]+\.[a-z]+)?`|\]\([^): ]+\)' "$page" | tr -d '`]()' | sed 's/#.*//' | sort -u)
    while read -r name; do
      grep -rqw "$name" asio_uring test example bench tools CMakeLists.txt || complain "$page: there is no $name"
    done < <(grep -oE '\b(ASIO_URING_[A-Z_]+|async_[a-z_]+)\b' "$page" | sort -u)
  done
}

# doc/opcodes.md has the opcodes of ring/opcodes.hpp, in the same order, with the same kernels, and with tests
# that exist.
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

# The tests that doc/mistakes.md names exist; of whole_program's, a loop makes the names of some.
mistakes() {
  local test
  while read -r test; do
    grep -q "TEST_CASE(${test#*/})" "test/${test%/*}.cpp" || complain "doc/mistakes.md: there is no test $test"
  done < <(grep -oE '`(mistakes|own_api)/[a-z0-9_]+`' doc/mistakes.md | tr -d '`' | sort -u)
  while read -r test; do
    grep -q "$test" test/whole_program/CMakeLists.txt || complain "doc/mistakes.md: there is no test whole_program.$test"
  done < <(grep -oE '`whole_program\.[A-Za-z0-9_]+`' doc/mistakes.md | tr -d '`' | grep -vE '_late_|_stock_session$' |
    sed -E 's/^whole_program\.(compiler_refuses_)?//' | sort -u)
}

# The first line of each file begins with its name, and so does its include guard.
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
    grep -qw "$(basename "$file" .cpp)" "$(dirname "$file")/CMakeLists.txt" cmake/*.cmake test/suites.cmake || complain "$file: belongs to no test"
  done
}

# Files are short enough to be read in one sitting.
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

# A suite has the name of its file.
suites() {
  local file suite
  while IFS=: read -r file suite; do
    suite=${suite#*\(}
    suite=${suite%%[,)]*}
    [[ $suite == "$(basename "$file" .cpp)" ]] || complain "$file: its suite is called $suite"
  done < <(grep -rE --include='*.cpp' '^BOOST_(AUTO|FIXTURE)_TEST_SUITE\(' test)
}

# The version in the packages and in CHANGELOG.md must be the one of the headers.
versions() {
  local string number major minor patch
  string=$(sed -nE 's/^#define ASIO_URING_VERSION_STRING "(.*)"/\1/p' asio_uring/version.hpp)
  number=$(sed -nE 's/^#define ASIO_URING_VERSION (.*)/\1/p' asio_uring/version.hpp)
  IFS=. read -r major minor patch <<<"$string"
  ((number == major * 100000 + minor * 100 + patch)) || complain "asio_uring/version.hpp: $number is not $string"
  grep -q "\"version\": \"$string\"" tools/packaging/vcpkg/asio-uring/vcpkg.json || complain "vcpkg.json: is not of version $string"
  grep -qE "^## ($string( |\$)|Unreleased)" CHANGELOG.md || complain "CHANGELOG.md: says nothing of $string"
}

# Conan and vcpkg may not be installed: check at least the syntax of their files.
recipes() {
  local file
  command -v python3 >/dev/null || {
    echo "python3 is not installed: the recipes of Conan and vcpkg are not checked"
    return
  }
  for file in $(find tools/packaging -name '*.py'); do
    python3 -c 'import ast, sys; ast.parse(open(sys.argv[1]).read())' "$file" || complain "$file: is not Python"
  done
  for file in $(find tools/packaging -name '*.json'); do
    python3 -m json.tool "$file" >/dev/null || complain "$file: is not JSON"
  done
}

# The Jamfile must build each example and link each test program with one main(). Building them all would take long.
jamfile() {
  local commands program
  command -v b2 >/dev/null || {
    echo "b2 is not installed: the Jamfile is not checked"
    return
  }
  if ! commands=$(b2 -n -a toolset=gcc example test 2>&1); then
    if [[ $commands == *"Unable to load B2"* ]]; then # Debian's package of Boost 1.92
      echo "b2 lacks its build system: the Jamfile is not checked"
      return
    fi
    complain "Jamfile: b2 fails: $(tail -n 3 <<<"$commands")"
  fi
  for program in example/*.cpp; do
    [[ $program == example/echo_standalone.cpp ]] || grep -q " -c .*\"$program\"" <<<"$commands" ||
      complain "Jamfile: does not build $program"
  done
  for program in stock uring file as_type property; do
    [[ $(grep -E "^ +\"g\+\+\" +-o [^ ]*/${program}_tests\"" <<<"$commands" | grep -oE '(main|valgrind_enter)\.o"') == 'main.o"' ]] ||
      complain "Jamfile: ${program}_tests has not one main()"
  done
}

layers
internals
which_asio
documentation
opcodes
mistakes
first_lines
test_sources
lengths
suites
versions
recipes
jamfile
((complaints == 0))
