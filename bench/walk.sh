#!/usr/bin/env bash
# walk.sh [cold|warm…]: SHA-256 of every file of a tree: the example checksum, compared with the same source
# with plain calls in one thread. Cold: with an empty page cache, which needs root.
#
# The sides alternate within each round. A ratio compares runs of one round only; the table has medians. All
# cores are used. Environment: ROUNDS, TREE (made if it does not exist), FILES (in a new tree), BUILD.
set -euo pipefail
bench=$(cd "$(dirname "$0")" && pwd)
BUILD=${BUILD:-$bench/../build-bench}
ROUNDS=${ROUNDS:-9}
TREE=${TREE:-/var/tmp/asio_uring_bench_tree}
cmake -S "$bench" -B "$BUILD" -DCMAKE_BUILD_TYPE=Release ${CMAKE_ARGS:-} >/dev/null
cmake --build "$BUILD" --target bench_checksum bench_checksum_blocking >/dev/null

[[ -d $TREE ]] || python3 - "$TREE" "${FILES:-20000}" <<'END'
import os, random, sys
random.seed(1)
for i in range(int(sys.argv[2])):
    directory = f"{sys.argv[1]}/{i // 1000}/{i // 100 % 10}"
    os.makedirs(directory, exist_ok=True)
    with open(f"{directory}/{i}", "wb") as file:
        file.write(random.randbytes(random.randint(1024, 8192)))
END

if [[ ! -w /proc/sys/vm/drop_caches ]] && [[ ${*:-cold} == *cold* ]]; then
  echo "walk.sh: without root only 'warm' can be measured" >&2 && exit 2
fi

for cache in ${*:-cold warm}; do
  python3 - "$cache" "$ROUNDS" "$TREE" "$BUILD/checksum_blocking" "$BUILD/checksum" <<'END'
import os, resource, statistics, subprocess, sys, time
cache, rounds, tree, *programs = sys.argv[1:]

def run(program):
    if cache == "cold":
        os.sync()
        with open("/proc/sys/vm/drop_caches", "w") as file:
            file.write("3")
        subprocess.run([program, "/dev/null"], check=True)  # its own pages are not what is measured
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    result = subprocess.run([program, tree], stdout=subprocess.PIPE, check=True)
    seconds = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime, result.stdout

results = {program: [] for program in programs}
if cache == "warm":
    run(programs[0])
for turn in range(int(rounds)):
    for program in programs if turn % 2 == 0 else programs[::-1]:
        results[program].append(run(program))
assert len({r[3] for runs in results.values() for r in runs}) == 1, "the sides differ"

files = results[programs[0]][0][3].count(b"\n")
print(f"\nwalk-{cache}, {files} files, {rounds} rounds")
print(f"{'side':<20}{'ms':>8}{'user ms':>9}{'system ms':>11}{'times as fast':>15}  (quartiles)")
for program, runs in results.items():
    ms = [1000 * statistics.median(r[i] for r in runs) for i in range(3)]
    ratios = [base[0] / r[0] for base, r in zip(results[programs[0]], runs)]
    low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive") if len(ratios) > 1 else ratios * 3
    print(f"{os.path.basename(program):<20}{ms[0]:>8.0f}{ms[1]:>9.0f}{ms[2]:>11.0f}{middle:>15.2f}  ({low:.2f}-{high:.2f})")
END
done
