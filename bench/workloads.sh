# Sourced: the table of workloads. Each belongs to one of the questions that table.py has a heading for.

ROUNDS=${ROUNDS:-9}
SECONDS_PER_RUN=${SECONDS_PER_RUN:-1}
WARM_UP=${WARM_UP:-0.5}
FILE=${FILE:-/var/tmp/asio_uring_bench_file}
LOG=${LOG:-/var/tmp/asio_uring_bench_log}

workloads=() # their names, in order
declare -A question=() program=() socket=() cores=() arguments=() driver=() candidates=()

# workload NAME QUESTION PROGRAM SOCKET CORES ARGUMENTS DRIVER [SIDES]
#   PROGRAM    the program whose variants (common.sh) are measured
#   SOCKET     tcp, udp, unix; none: the program measures itself
#   CORES      shared: the server and its load on one; apart: on one each; all: both on all
#   ARGUMENTS  the program's
#   DRIVER     the load generator and its arguments
workload() {
  workloads+=("$1")
  question[$1]=$2 program[$1]=$3 socket[$1]=$4 cores[$1]=$5 arguments[$1]=$6 driver[$1]=$7 candidates[$1]=${8:-$all_sides}
}

timed="--seconds $SECONDS_PER_RUN --warm-up $WARM_UP"

for mode in echo coroutines; do
  [[ $mode == echo ]] && mode_arguments= || mode_arguments="--mode coroutines"
  for n in 1 64 1000 10000; do
    workload "tcp-$mode-$n" tcp echo_server tcp shared "$mode_arguments" "load $timed --connections $n"
  done
done

workload tcp-echo-64-4k messages echo_server tcp shared "" "load $timed --connections 64 --size 4096"
workload tcp-echo-64-64k messages echo_server tcp shared "" "load $timed --connections 64 --size 65536"
workload tcp-echo-1-depth-16 messages echo_server tcp shared "" "load $timed --connections 1 --depth 16"
workload tcp-echo-64-depth-16 messages echo_server tcp shared "" "load $timed --connections 64 --depth 16"
workload tcp-echo-64-4k-depth-16 messages echo_server tcp shared "" \
  "load $timed --connections 64 --size 4096 --depth 16"

for n in 1 64; do
  workload "unix-echo-$n" protocols echo_server unix shared "" "load $timed --connections $n"
done
for n in 1 64; do
  workload "udp-echo-$n" protocols echo_server udp shared "" "load $timed --connections $n"
  workload "udp-batches-$n" protocols echo_server udp shared --batches "load $timed --connections $n"
  workload "udp-stream-$n" protocols echo_server udp shared --stream "load $timed --connections $n"
done

for n in 1 64 1000; do
  workload "http-$n" programs http_server tcp shared "" "load $timed --http --connections $n"
done
for n in 1 64; do
  workload "tls-echo-$n" programs tls_server tcp shared "" "tls_load $timed --connections $n"
done
for n in 1 64 1000; do
  workload "tcp-deadline-$n" programs echo_server tcp shared --deadline "load $timed --connections $n"
  workload "tcp-within-$n" programs echo_server tcp shared --within "load $timed --connections $n"
done

for n in 1 64 1000; do
  workload "tcp-stream-$n" programs echo_server tcp shared --stream "load $timed --connections $n"
done
workload tcp-stream-64-depth-16 messages echo_server tcp shared --stream "load $timed --connections 64 --depth 16"

workload tcp-accept-close-64 opening echo_server tcp shared --once "load $timed --connections 64 --once"
workload storm-1000 storm echo_server tcp apart "" "storm --connections 1000"
workload storm-stream-1000 storm echo_server tcp apart --stream "storm --connections 1000"

for n in 1 16 64 1000; do
  workload "apart-echo-$n" apart echo_server tcp apart "" "load $timed --connections $n" "$all_sides ours-spin"
done

for n in 16 64 1000; do
  workload "two-threads-echo-$n" threads echo_server tcp all "--threads 2" "load $timed --connections $n"
done
for n in 1 2; do
  workload "post-$n" post post none all "--threads $n $timed" ""
done

for way in "" --fan-out; do
  workload "publish${way:+-fan-out}-500" programs fan_out none all "--subscribers 500 $way $timed" ""
done

for n in 1000 10000; do
  workload "memory-$n" memory echo_server tcp shared "" "load --memory --connections $n"
  workload "memory-stream-$n" memory echo_server tcp shared --stream "load --memory --connections $n"
done

file_sides="liburing ours asio-uring pool-2 pool-4 pool-16"
for direct in "" --direct; do
  for n in 1 32; do
    workload "file-${direct:+direct-}${n}" file file_read none all \
      "--file $FILE --depth $n $direct --seconds $SECONDS_PER_RUN" "" "$file_sides"
  done
  workload "file-${direct:+direct-}registered-32" file file_read none all \
    "--file $FILE --depth 32 $direct --registered --seconds $SECONDS_PER_RUN" "" "liburing ours asio-uring"
done

workload log-16 log write_ahead_log none all "--file $LOG --writers 16 --seconds $SECONDS_PER_RUN" "" \
  "pool pool-group chain"
