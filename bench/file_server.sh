#!/usr/bin/env bash
# file_server.sh [cold|warm…]: latency of the example file_server, compared with the same source with plain
# calls in its handlers. Cold: the page cache is emptied before each run and no file is requested twice, so
# that all come from the disk; that needs root. Warm: all files are cached.
#
# The sides alternate within each round. A ratio compares runs of one round only; the table has medians. All
# cores are used. Environment: ROUNDS, SECONDS_PER_RUN, CONNECTIONS, SITE (made if it does not exist), BUILD.
set -euo pipefail
bench=$(cd "$(dirname "$0")" && pwd)
BUILD=${BUILD:-$bench/../build-bench}
SITE=${SITE:-/var/tmp/asio_uring_bench_site}
cmake -S "$bench" -B "$BUILD" -DCMAKE_BUILD_TYPE=Release ${CMAKE_ARGS:-} >/dev/null
cmake --build "$BUILD" --target bench_file_server bench_file_server_blocking >/dev/null

if [[ ! -w /proc/sys/vm/drop_caches ]] && [[ ${*:-cold} == *cold* ]]; then
  echo "file_server.sh: without root only 'warm' can be measured" >&2 && exit 2
fi

exec python3 - "$SITE" "$BUILD" "${ROUNDS:-9}" "${SECONDS_PER_RUN:-2}" "${CONNECTIONS:-64}" ${*:-cold warm} <<'END'
import os, random, re, statistics, subprocess, sys, tempfile
site, build, rounds, seconds, connections, *workloads = sys.argv[1:]
files, size = 60000, 16384

if not os.path.isdir(site):
    random.seed(1)
    data = random.randbytes(1 << 20)
    for i in range(files):
        os.makedirs(f"{site}/{i // 200}", exist_ok=True)
        with open(f"{site}/{i // 200}/{i}", "wb") as file:
            file.write(data[i:i + size])

# Requests files in a random order, each once before any is requested again.
script = """
function init()
  math.randomseed(tonumber(os.getenv("SEED")))
  order = {}
  for i = 1, FILES do order[i] = i - 1 end
  for i = FILES, 2, -1 do
    local j = math.random(i)
    order[i], order[j] = order[j], order[i]
  end
  next_one = 0
end
function request()
  next_one = next_one % FILES + 1
  local file = order[next_one]
  return wrk.format("GET", string.format("/%d/%d", math.floor(file / 200), file))
end
function done(summary, latency)
  local errors = summary.errors
  io.write(string.format("result %d %d %d %d %d %d\\n", summary.requests, summary.duration,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    latency:percentile(50), latency:percentile(99), latency:percentile(99.9)))
end
""".replace("FILES", str(files))


def warm_up():
    for directory, _, names in os.walk(site):
        for name in names:
            with open(f"{directory}/{name}", "rb") as file:
                file.read()


def run(program, workload, seed):
    """requests/s, p50, p99, p99.9 in ms, CPU in us for each request"""
    if workload == "cold":
        os.sync()
        with open("/proc/sys/vm/drop_caches", "w") as file:
            file.write("3")
    with subprocess.Popen([f"{build}/{program}", site, "0"], stdout=subprocess.PIPE, text=True) as server:
        try:
            port = server.stdout.readline().rsplit(":", 1)[1].strip()
            cpu = sum(map(int, open(f"/proc/{server.pid}/stat").read().split()[13:15]))
            output = subprocess.run(
                ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", lua.name, f"http://127.0.0.1:{port}"],
                env=os.environ | {"SEED": str(seed)}, capture_output=True, text=True, check=True).stdout
            cpu = sum(map(int, open(f"/proc/{server.pid}/stat").read().split()[13:15])) - cpu
        finally:
            server.terminate()
    requests, took, errors, *latency = map(int, re.search(r"^result (.*)$", output, re.M)[1].split())
    if errors:
        sys.exit(output)
    if workload == "cold" and requests > files:
        print(f"{program}: all files were asked for: shorten SECONDS_PER_RUN", file=sys.stderr)
    ticks = os.sysconf("SC_CLK_TCK")
    return [requests / took * 1e6, *(l / 1000 for l in latency), cpu / ticks * 1e6 / requests]


programs = ["file_server_blocking", "file_server"]
with tempfile.NamedTemporaryFile("w", suffix=".lua") as lua:
    lua.write(script)
    lua.flush()
    for workload in workloads:
        if workload == "warm":
            warm_up()
        results = {program: [] for program in programs}
        for turn in range(int(rounds)):
            for program in programs if turn % 2 == 0 else programs[::-1]:
                results[program].append(run(program, workload, turn))
        print(f"\nfile_server-{workload}, {connections} connections, {rounds} rounds")
        print(f"{'side':<22}{'requests/s':>11}{'p50 ms':>8}{'p99 ms':>8}{'p99.9 ms':>10}{'CPU us/req':>12}"
              f"{'p99 ratio':>11}  (quartiles)")
        for program, runs in results.items():
            rate, *values = (statistics.median(column) for column in zip(*runs))
            ratios = [r[2] / base[2] for base, r in zip(results[programs[0]], runs)]
            low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive") if len(ratios) > 1 else ratios * 3
            print(f"{program:<22}{rate:>11.0f}{values[0]:>8.2f}{values[1]:>8.2f}{values[2]:>10.2f}{values[3]:>12.1f}"
                  f"{middle:>11.2f}  ({low:.2f}-{high:.2f})")
END
