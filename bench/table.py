"""Prints a CSV of run.sh or file.sh as a table: medians over the rounds, ratios within each round to one side."""
import csv
import statistics
import sys

def quartiles(values):
    if len(values) < 2:
        return values[0], values[0], values[0]
    return statistics.quantiles(values, n=4, method="inclusive")


def main(path, base_side="epoll"):
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows:
        sys.exit(f"{path}: no results")
    cpu, rate, p50, p99 = {}, {}, {}, {}
    for row in rows:
        side, turn = row["side"], row["round"]
        cpu.setdefault(side, {})[turn] = float(row["cpu_ns_per_request"]) / 1000
        rate.setdefault(side, {})[turn] = float(row["requests"]) / float(row["seconds"])
        if "p50_us" in row:
            p50.setdefault(side, []).append(float(row["p50_us"]))
            p99.setdefault(side, []).append(float(row["p99_us"]))

    def ratios(measure, side):
        base = measure.get(base_side, {})
        return [value / base[turn] for turn, value in measure[side].items() if turn in base]

    print(f"\n{rows[0]['workload']}, {max(len(turns) for turns in cpu.values())} rounds")
    print(f"{'side':<17}{'requests/s':>11}{'CPU us/req':>11}{'CPU ratio':>11}  {'(quartiles)':<15}"
          f"{'rate ratio':>10}" + (f"{'p50 us':>9}{'p99 us':>9}" if p50 else ""))
    for side in cpu:
        line = f"{side:<17}{statistics.median(rate[side].values()):>11.0f}"
        line += f"{statistics.median(cpu[side].values()):>11.3f}"
        if ratios(cpu, side):
            low, middle, high = quartiles(ratios(cpu, side))
            line += f"{middle:>11.3f}  ({low:.3f}-{high:.3f})  {statistics.median(ratios(rate, side)):>10.3f}"
        else:
            line += f"{'-':>11}  {'':<15}{'-':>10}"
        if side in p50:
            line += f"{statistics.median(p50[side]):>9.1f}{statistics.median(p99[side]):>9.1f}"
        print(line)


if __name__ == "__main__":
    main(*sys.argv[1:])
