# check_progress.sh: the progress bar of an example. To be sourced by a check that has fail(). Needs script,
# of Debian's bsdutils.

# shows_progress FILE PROGRAM ARGUMENT...: makes FILE so large that the program, which reads it, takes a while.
shows_progress() {
  local file=$1 program=$2 size amount='[0-9.]+ [KMGT]?i?B'
  shift 2
  # Without data on the disk, and larger where the machine is fast.
  for size in 64M 256M 1G 4G 16G; do
    rm -f "$file"
    truncate -s "$size" "$file"
    script -qec "$(printf '%q ' "$program" "$@") >/dev/null" terminal </dev/null >/dev/null || fail "on a terminal: exit status $?"
    tr '\r' '\n' <terminal | sed 's/\x1b\[K//' >bars
    ! grep -qE "^\[#* *\] +[0-9]+ %  $amount of $amount  $amount/s  [0-9]+:[0-5][0-9]:[0-5][0-9] left$" bars || break
  done
  [[ $size != 16G ]] || fail "on a terminal: does not tell the time that is left: $(<bars)"
  grep -qE "^\[#{20}\] 100 %  ($amount) of \1  $amount/s  in [0-9]+:[0-5][0-9]:[0-5][0-9]$" bars ||
    fail "on a terminal: does not end with all that is done: $(<bars)"

  truncate -s 1M "$file" # large enough for what does not take a while
  "$program" "$@" >/dev/null 2>bars || fail "not on a terminal: exit status $?"
  [[ ! -s bars ]] || fail "not on a terminal: shows $(<bars)"
  "$program" --progress "$@" >/dev/null 2>bars || fail "--progress: exit status $?"
  grep -q ' 100 %  ' bars || fail "--progress: shows '$(<bars)'"
  rm -f "$file" terminal bars
}

# refuses_option PROGRAM OPTION WORDS ARGUMENT...: it must exit with 2, and say the words.
refuses_option() {
  local program=$1 option=$2 words=$3 code=0
  shift 3
  "$program" "$option" "$@" >/dev/null 2>refusal || code=$?
  ((code == 2)) || fail "$option: exit status $code instead of 2"
  grep -q -- "$words" refusal || fail "$option: does not say '$words'"
  rm -f refusal
}
