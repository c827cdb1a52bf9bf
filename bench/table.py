"""Tables of what run.sh has measured.

table.py RUNS [QUESTION...]      the machine and each question's tables, in markdown
table.py --text RUNS             workload by workload, for a terminal
table.py --fill PAGE RUNS...     writes each question's tables into the page, between its marks
                                 <!-- tables: QUESTION --> and <!-- end of tables -->; also "machine", and
                                 "gain": ours to Asio on epoll. Several RUNS are those of several machines.
RUNS are lines of JSON: the machine first, if it is described, then a line for each run.
"""
import json
import re
import statistics
import sys

# name: heading, how to compute a run's figure, its unit, how it is shown; a ratio is to the base side in the
# same round
METRICS = {
    "cpu": ("CPU time per request", lambda run: run["cpu_ns_per_request"] / 1000, "µs", "ratio"),
    "rate": ("Requests per second", lambda run: run["requests"] / run["seconds"], "/s", "ratio"),
    "p50": ("Median latency", lambda run: run["p50_us"], "µs", "ratio"),
    "p99": ("99th percentile of latency", lambda run: run["p99_us"], "µs", "ratio"),
    "instructions": ("User-space instructions per request", lambda run: run["instructions"], "", "ratio"),
    "last": ("Until the last connection is answered", lambda run: run["last_ms"], "ms", "value"),
    "memory": ("Server memory per connection", lambda run: run["bytes_per_connection"] / 1024, "KiB", "value"),
    "calls": ("System calls per request", lambda run: run["calls"], "", "value"),
    "allocations": ("Heap allocations per request", lambda run: run["allocations"], "", "value"),
}

# question: heading, base side, metrics
QUESTIONS = {
    "tcp": ("TCP echo, by the number of connections", "epoll", ["cpu", "rate", "p99"]),
    "messages": ("Larger messages, and several outstanding", "epoll", ["cpu", "rate"]),
    "protocols": ("UNIX and UDP sockets", "epoll", ["cpu", "rate"]),
    "programs": ("HTTP, TLS, a deadline for each read", "epoll", ["cpu", "rate"]),
    "opening": ("Connections of one message each", "epoll", ["cpu", "rate"]),
    "storm": ("A thousand connections at once", "epoll", ["last", "p50"]),
    "apart": ("Server and load on a core each", "epoll", ["cpu", "p50", "p99"]),
    "threads": ("Two threads that run the context", "epoll", ["cpu", "rate", "p99"]),
    "post": ("Functions posted by other threads", "epoll", ["cpu", "rate"]),
    "memory": ("Memory of an idle connection", "epoll", ["memory"]),
    "counts": ("System calls, instructions, allocations", "epoll", ["calls", "instructions", "allocations"]),
    "file": ("Reads of a file", "liburing", ["rate", "cpu"]),
    "log": ("Durable appends", "pool", ["rate", "cpu"]),
}

# How sides are labelled; others by their name.
SIDES = {
    "epoll": "Asio epoll",
    "asio-uring": "Asio's io_uring",
    "ours": "**asio_uring**",
    "ours-completion": "completion forced",
    "ours-readiness": "readiness forced",
    "ours-spin": "spin 50 µs",
    "pool": "a thread for each record",
    "pool-group": "a thread for each group",
    "chain": "**asio_uring**, chains",
}


def quartiles(values):
    return statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else [values[0]] * 3


def unique(values):
    return list(dict.fromkeys(values))


class Results:
    """Runs of one machine or several. Runs are compared within a setting: a machine, natively or with dear calls."""

    def __init__(self, *paths):
        self.machines, self.runs = [], []
        for path in paths:
            with open(path) as file:
                lines = [json.loads(line) for line in file]
            described = next((line["machine"] for line in lines if "machine" in line), {})
            self.machines.append(described)
            for run in lines:
                if "workload" in run:
                    cost = described.get(f"{run['setting']}_call_ns")
                    self.runs.append(run | {"setting": run["setting"] + (f", a system call takes {cost} ns" if cost else "")})

    def of(self, **wanted):
        return [run for run in self.runs if all(run[name] == value for name, value in wanted.items())]

    def figures(self, metric, **wanted):
        """round: figure, for the runs that have it"""
        found = {}
        for run in self.of(**wanted):
            try:
                found[run["round"]] = METRICS[metric][1](run)
            except (KeyError, ZeroDivisionError):
                pass
        return found

    def ratios(self, metric, base, side, **wanted):
        below = self.figures(metric, side=base, **wanted)
        return [value / below[turn] for turn, value in self.figures(metric, side=side, **wanted).items()
                if below.get(turn)]


def number(value):
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def cell(results, metric, base, side, **where):
    figures = list(results.figures(metric, side=side, **where).values())
    ratios = results.ratios(metric, base, side, **where)
    _, _, unit, shown = METRICS[metric]
    if figures and (shown == "value" or side == base):
        return f"{number(statistics.median(figures))} {unit}".strip()
    if not ratios or shown == "value":
        return "–"
    low, middle, high = quartiles(ratios)
    return f"{middle:.3f} ± {(high - low) / 2:.3f}" if len(ratios) > 1 else f"{middle:.3f}"


def table(results, question, metric, setting):
    _, base, _ = QUESTIONS[question]
    runs = [run for run in results.of(question=question, setting=setting)
            if results.figures(metric, workload=run["workload"], setting=setting)]
    if not runs:
        return ""
    sides = unique([base] + [run["side"] for run in runs])
    rounds = len({run["round"] for run in runs})
    heading, _, unit, shown = METRICS[metric]
    lines = [f"{heading}, {setting}"
             + (f"; ratios to {SIDES.get(base, base)}" if shown == "ratio" else "")
             + (f"; {rounds} rounds" if rounds > 1 else "") + ":", "",
             "| workload | " + " | ".join(SIDES.get(side, side.replace("raw-", "raw ")) for side in sides) + " |",
             "|---" * (len(sides) + 1) + "|"]
    for workload in unique(run["workload"] for run in runs):
        cells = [cell(results, metric, base, side, workload=workload, setting=setting) for side in sides]
        lines.append(f"| {workload} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def tables(results, question):
    settings = unique(run["setting"] for run in results.of(question=question))
    found = [table(results, question, metric, setting) for metric in QUESTIONS[question][2] for setting in settings]
    return "\n".join(part for part in found if part)


def machine(results):
    return "\n".join("".join(f"* {name.replace('_', ' ')}: {value}\n" for name, value in described.items())
                     for described in results.machines)


def gain(results):
    """What README.md shows of it: ratios of ours to Asio on epoll, workload by workload."""
    settings = unique(run["setting"] for run in results.runs)
    lines = ["| workload | " + " | ".join(f"{heading}, {setting.rsplit(' takes ')[-1]}"
                                          for heading in ("CPU time", "requests/s") for setting in settings) + " |",
             "|---" * (2 * len(settings) + 1) + "|"]
    for workload in unique(run["workload"] for run in results.of(side="ours") if QUESTIONS[run["question"]][1] == "epoll"):
        cells = [cell(results, metric, "epoll", "ours", workload=workload, setting=setting)
                 for metric in ("cpu", "rate") for setting in settings]
        if "–" not in cells:
            lines.append(f"| {workload} | " + " | ".join(cells) + " |")
    return "Ratios to Asio on epoll, by what a system call takes:\n\n" + "\n".join(lines) + "\n"


def markdown(results, questions):
    print(f"# Results\n\n{machine(results)}\nMedians over the rounds; ± is half of what lies between the quartiles.")
    for question in questions:
        if found := tables(results, question):
            print(f"\n## {QUESTIONS[question][0]}\n\n{found}", end="")


def fill(results, path):
    def filled(match):
        others = {"machine": machine, "gain": gain}
        found = others[match[2]](results) if match[2] in others else tables(results, match[2])
        return match[1] + "\n" + (found or "Not measured yet.\n") + match[3]
    with open(path) as file:
        page = re.sub(r"(<!-- tables: (\w+) -->\n)(?:.*?)(<!-- end of tables -->)", filled, file.read(), flags=re.S)
    with open(path, "w") as file:
        file.write(page)


def text(results):
    for setting, workload in unique((run["setting"], run["workload"]) for run in results.runs):
        where = {"setting": setting, "workload": workload}
        runs = results.of(**where)
        _, base, extra = QUESTIONS[runs[0]["question"]]
        shown = [metric for metric in unique(["rate", "cpu", "p50", "p99", *extra])
                 if results.figures(metric, **where)]
        print(f"\n{workload}, {setting}, {len({run['round'] for run in runs})} rounds; "
              f"medians, and quartiles of the ratios to {base}")
        print(f"{'side':<17}" + "".join(f"{metric + ' ' + METRICS[metric][2]:>12}" for metric in shown)
              + "".join(f"  {metric + ' ratio':<20}" for metric in shown[:2]))
        for side in unique(run["side"] for run in runs):
            line = f"{side:<17}"
            for metric in shown:
                figures = results.figures(metric, side=side, **where).values()
                line += f"{number(statistics.median(figures)) if figures else '–':>12}"
            for metric in shown[:2]:
                ratios = results.ratios(metric, base, side, **where)
                low, middle, high = quartiles(ratios) if ratios else [None] * 3
                line += f"  {f'{middle:.3f} ({low:.3f}-{high:.3f})' if ratios else '–':<20}"
            print(line.rstrip())


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--text", path]:
            text(Results(path))
        case ["--fill", page, *paths] if paths:
            fill(Results(*paths), page)
        case [path, *questions] if not path.startswith("-"):
            markdown(Results(path), questions or QUESTIONS)
        case _:
            sys.exit(__doc__)
