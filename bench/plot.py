"""plot.py RUNS DIRECTORY: for each question and setting a plot of its first figure, as SVG, drawn by gnuplot: QUESTION-NAME.svg,
where NAME is the directory's. Bars are medians over the rounds, of ratios where the tables have ratios; lines go from the
first quartile to the third."""
import os
import subprocess
import sys

from table import METRICS, QUESTIONS, SIDES, Results, quartiles, unique

SCRIPT = """
set terminal svg size {width},420 font "sans,11" background "white"
set output "{output}"
set title "{title}" noenhanced
set ylabel "{label}" noenhanced
set style data histograms
set style histogram errorbars gap 1.5 linewidth 1
set style fill solid 0.85 noborder
set xtics rotate by -20 noenhanced
set yrange [0:*]
set grid ytics
set key outside right noenhanced
{line}
plot {columns}
"""

COLOURS = {"epoll": "gray40", "asio-uring": "gray70", "raw-epoll": "#9ecae1", "raw-oneshot": "#6baed6",
           "raw-multishot": "#4292c6", "raw-poll": "#2171b5", "ours": "#d7301f", "ours-completion": "#fc8d59",
           "ours-readiness": "#fdcc8a", "ours-spin": "#7f0000", "liburing": "gray40", "pool": "gray40", "chain": "#d7301f"}


def values(results, metric, base, side, **where):
    """first quartile, median, third"""
    found = results.ratios(metric, base, side, **where) if METRICS[metric][3] == "ratio" else \
        list(results.figures(metric, side=side, **where).values())
    return quartiles(found) if found else None


def colour(side):
    return f' linecolor rgb "{COLOURS[side]}"' if side in COLOURS else ""


def name_of(directory, setting):
    how = setting.split(",")[0]
    return os.path.basename(os.path.abspath(directory)) + ("" if how == "native" else f"-{how}")


def plot(results, question, setting, directory):
    title, base, (metric, *_) = QUESTIONS[question]
    runs = results.of(question=question, setting=setting)
    runs = [run for run in runs if results.figures(metric, workload=run["workload"], setting=setting)]
    sides, workloads = unique(run["side"] for run in runs), unique(run["workload"] for run in runs)
    if not runs:
        return
    data, drawn = "", False
    for workload in workloads:
        row = [f'"{workload}"']
        for side in sides:
            found = values(results, metric, base, side, workload=workload, setting=setting)
            drawn = drawn or found
            row += [f"{found[i]:.5g}" for i in (1, 0, 2)] if found else ["NaN"] * 3
        data += " ".join(row) + "\n"
    if not drawn:
        return
    heading, _, unit, shown = METRICS[metric]
    name = {side: SIDES.get(side, side).replace("*", "") for side in sides}
    columns = ", ".join(f'$data using {2 + 3 * i}:{3 + 3 * i}:{4 + 3 * i}:xtic(1) title "{name[side]}"{colour(side)}'
                        for i, side in enumerate(sides))
    script = f"$data << END\n{data}END\n" + SCRIPT.format(
        width=300 + 16 * len(sides) * len(workloads) + 60 * len(workloads),
        output=f"{directory}/{question}-{name_of(directory, setting)}.svg", title=f"{title}, {setting}",
        label=f"{heading}, {'ratio to ' + SIDES.get(base, base) if shown == 'ratio' else unit}",
        line="set arrow from graph 0, first 1 to graph 1, first 1 nohead" if shown == "ratio" else "", columns=columns)
    subprocess.run(["gnuplot"], input=script, text=True, check=True)


def main(path, directory):
    results = Results(path)
    for question in QUESTIONS:
        for setting in unique(run["setting"] for run in results.of(question=question)):
            plot(results, question, setting, directory)


if __name__ == "__main__":
    main(*sys.argv[1:])
