#!/usr/bin/env bash
# round.sh SETTING ROUND WORKLOAD…: used by run.sh: one run of each workload with each side that is not in
# $RESULTS yet. The order of the sides rotates from round to round. Environment: that of run.sh, POLICY
# (options of chrt for programs that share a core), TOTAL (runs to make) and BEGUN (seconds since 1970, and
# lines of $RESULTS, at the start).
source "$(dirname "$0")/common.sh"
source "$bench/workloads.sh"
setting=$1 round=$2
shift 2

# Server and load on cores of their own must not be disturbed by others, if that is allowed.
undisturbed="-f 1" together=${POLICY:--b 0}
chrt $undisturbed true 2>/dev/null || undisturbed="-b 0"

# run WORKLOAD SIDE: prints name=number pairs.
run() {
  local command all=0-$(($(nproc --all) - 1)) apart=$(((CORE + 1) % $(nproc)))
  policy=$together
  command=$(command_of "$2" "${program[$1]}" "${socket[$1]}" "${arguments[$1]}")
  case ${cores[$1]} in
    shared) server_cores=$CORE load_cores=$CORE ;;
    apart) server_cores=$CORE load_cores=$apart policy=$undisturbed ;;
    all) server_cores=$all load_cores=$all policy="-o 0" ;;
  esac
  if [[ ${socket[$1]} == none ]]; then
    env $(environment_of "$2") taskset -c "$server_cores" chrt $policy timeout 60 $command
    return
  fi
  new_address "${socket[$1]}"
  start "$2" $command
  local ended=0
  on "$load_cores" timeout 60 "$BUILD"/${driver[$1]} $address --server-pid "$server" || ended=$?
  stop
  return $ended
}

shown=
progress() { # WORKLOAD SIDE
  local begun before made left where
  read -r begun before <<<"$BEGUN"
  made=$(($(wc -l <"$RESULTS") - before))
  left=$((made > 0 ? (TOTAL - made) * ($(date +%s) - begun) / made / 60 : 0))
  where="[$made of $TOTAL$( ((made == 0)) || echo ", $left min left")] $setting, round $((round + 1)): $1"
  if [[ -t 2 ]]; then
    printf '\r\033[K%s, %s' "$where" "$2" >&2
  elif [[ $shown != "$1" ]]; then
    echo "$where" >&2
  fi
  shown=$1
}

failed=0
for name; do
  read -ra sides <<<"$(sides_of "${program[$name]}" "${socket[$name]}" "${arguments[$name]}" ${candidates[$name]})"
  for ((position = 0; position < ${#sides[@]}; ++position)); do
    side=${sides[(position + round) % ${#sides[@]}]}
    if recorded "$setting" "$name" "$side" "$round"; then continue; fi
    progress "$name" "$side"
    if result=$(run "$name" "$side"); then
      record "$setting" "${question[$name]}" "$name" "$side" "$round" $result
    else
      echo "$setting, $name: $side failed in round $round" >&2
      failed=1
    fi
  done
done
exit $failed
