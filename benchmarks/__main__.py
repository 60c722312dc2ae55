"""Runs the benchmarks and writes docs/benchmarks.md with tables and charts.

python -m benchmarks                       # all of them
python -m benchmarks offline_join          # one; the page keeps the results of the others
python -m benchmarks --page                # only the page, from the stored results
python -m benchmarks compare anomaly       # our models and those of the field; see benchmarks.compare
"""

import argparse
import ast
import json
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

from feature_repo.home import REPOSITORY

NAMES = (
    "offline_join",
    "online_lookup",
    "online_layout",
    "importing",
    "materialize",
    "quality_recommendation",
    "unlearning",
    "shilling",
    "quality_fairness",
    "quality_explanations",
    "off_policy",
    "serving",
    "serving_load",
    "heard",
    "erasure",
    "encryption",
    "lifecycle",
    "quality_experiments",
    "quality_m4",
    "quality_charts",
    "forecast_scale",
    "quality_nab",
    "quality_nsl_kdd",
    "quality_incidents",
    "anomaly_speed",
    "quality_text",
    "quality_languages",
    "quality_masking",
    "robustness",
    "quality_matching",
    "text_speed",
    "audio",
    "quality_audio",
    "quality_track_features",
    "quality_structure",
    "quality_audio_sources",
    "windows",
    "stream",
    "podcasts",
    "model_theft",
)
ON_REQUEST = (
    "access_cost",
    "backup",
    "encrypted_scoring",
    "federated",
    "lineage",
    "plausible_events",
    "privacy_leaks",
    "private_recommendation",
    "quality_skab",
    "secure_aggregation",
    "signatures",
)
"""Run by name only: one needs a data set that the others do not, the figures of others stand on their pages."""
RESULTS = REPOSITORY / "docs" / "benchmarks"
JUDGED_ON = "Judged on: "
"""Begins the paragraph of a docstring that says what the figures were developed on."""
PAGE = REPOSITORY / "docs" / "benchmarks.md"


def run(name: str) -> None:
    """Run one benchmark and store its last line of output in docs/benchmarks."""
    call = [sys.executable, "-W", "ignore", "-m", f"benchmarks.{name}"]
    process = subprocess.run(call, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, check=False)
    if process.returncode:  # it has said what it misses
        raise SystemExit(process.returncode)
    output = process.stdout
    result = json.loads(output.strip().splitlines()[-1])
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n")


def judged_on(name: str) -> str:
    """Return what a program's figures were developed on, as its docstring says; empty for speed."""
    docstring = ast.get_docstring(ast.parse((REPOSITORY / "benchmarks" / f"{name}.py").read_text())) or ""
    paragraphs = [" ".join(part.split()) for part in docstring.split("\n\n")]
    return next((part for part in paragraphs if part.startswith(JUDGED_ON)), "")


def write_page() -> None:
    """Write all stored results as one page."""
    lines = ["# Benchmarks", "", "Written by `make bench`; each program's docstring is its protocol.", ""]
    for file in sorted(RESULTS.glob("*.json")):
        result = json.loads(file.read_text())
        lines += [f"## {result['benchmark']}", "", f"`python -m benchmarks.{file.stem}` on {result['machine']}.", ""]
        if basis := judged_on(file.stem):
            lines += [*textwrap.wrap(basis, 120), ""]
        if file.stem in CHARTS:
            draw, table, caption = CHARTS[file.stem]
            lines += [f"![{caption}](benchmarks/{draw(result).name})", "", *table(result), ""]
        lines += ["| case | metric | value | goal | |", "|---|---|---|---|---|"]
        for case in result["cases"]:
            goal = case.get("goal") or ""
            verdict = {True: "met", False: "**missed**"}.get(case.get("met", ""), "")
            label = ", ".join(case[part] for part in ("case", "model") if part in case)
            lines.append(f"| {label} | {case['metric']} | {case['value']} | {goal} | {verdict} |")
        lines.append("")
    PAGE.write_text("\n".join(lines))


def offline_join_table(result: dict[str, Any]) -> list[str]:
    """Format seconds and megabytes of every competitor as a table."""
    engines = list(dict.fromkeys(e for case in result["figures"].values() for e in case["engines"]))
    lines = [f"| seconds / peak MB | {' | '.join(engines)} |", "|---" * (len(engines) + 1) + "|"]
    for name, case in result["figures"].items():
        cells = []
        for engine in engines:
            figures = case["engines"].get(engine)
            if figures is None:
                cells.append("")
            elif "failed" in figures:
                cells.append("failed: " + figures["failed"].replace("|", "/")[:60])
            else:
                wrong = "" if figures["same_answer"] else ", wrong"
                cells.append(f"{figures['seconds']:.2f} / {figures['peak_mb']:.0f}{wrong}")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def draw_offline_join(result: dict[str, Any]) -> Path:
    """Plot seconds and memory against the depth of the history, and seconds against the size of the spine."""
    plt = pyplot()
    cases = [
        {**case["size"], "engines": case["engines"]} for case in result["figures"].values() if not case["size"]["ttl"]
    ]
    panels = (
        ("feature rows a key (500k spine, 10M rows)", "depth", "seconds", "depth "),
        ("feature rows a key (500k spine, 10M rows)", "depth", "peak_mb", "depth "),
        ("rows of the spine (100 rows a key, 10M rows)", "spine", "seconds", "spine"),
    )
    figure, axes = plt.subplots(1, 3, figsize=(13, 4), layout="constrained")
    for axis, (label, column, metric, prefix) in zip(axes, panels, strict=True):
        panel_cases = [
            c for c in cases if c["name"].startswith(prefix) or (column == "spine" and c["name"] == "depth 100")
        ]
        for engine in ("ours", "feast_duckdb", "raw_duckdb", "raw_polars"):
            points = sorted(
                (c[column], c["engines"][engine][metric]) for c in panel_cases if metric in c["engines"].get(engine, {})
            )
            if points:
                axis.plot(*zip(*points, strict=True), marker="o", label=engine, lw=2.5 if engine == "ours" else 1.2)
        axis.set(xlabel=label, ylabel=metric.replace("peak_mb", "peak MB"), xscale="log", yscale="log")
        axis.grid(alpha=0.3, which="both")
    axes[0].legend()
    return save_chart(figure, "offline_join")


def online_lookup_table(result: dict[str, Any]) -> list[str]:
    """Format the median and 99th percentile of every competitor, and lookups per second, as tables."""
    figures = result["figures"]["lookups"]
    lines = [f"| p50 / p99 ms | {' | '.join(figures)} |", "|---" * (len(figures) + 1) + "|"]
    for shape, sizes in next(iter(figures.values())).items():
        for rows in sizes["rows"]:
            cells = [figures[engine].get(shape, {}).get("rows", {}).get(rows) for engine in figures]
            formatted = ["" if cell is None else f"{cell['p50_ms']:.3f} / {cell['p99_ms']:.3f}" for cell in cells]
            lines.append(f"| {shape.replace('x', ' views, ')} features, {rows} rows | {' | '.join(formatted)} |")
    throughput = result["figures"]["lookups_per_second"]
    lines += ["", "| lookups a second, 5 views × 50 features × 100 rows | 1 process | 2 processes |", "|---|---|---|"]
    return lines + [f"| {engine} | {rates['1']:,.0f} | {rates['2']:,.0f} |" for engine, rates in throughput.items()]


def draw_online_lookup(result: dict[str, Any]) -> Path:
    """Plot milliseconds against the rows of a lookup, at the median and at the 99th percentile."""
    plt = pyplot()
    figures = result["figures"]["lookups"]
    panels = [(shape, metric) for shape in ("5x50", "1x250") for metric in ("p50_ms", "p99_ms")]
    figure, axes = plt.subplots(1, 4, figsize=(15, 4), layout="constrained", sharey=True)
    for axis, (shape, metric) in zip(axes, panels, strict=True):
        for engine, shapes in figures.items():
            points = [
                (int(rows), percentiles[metric]) for rows, percentiles in shapes.get(shape, {}).get("rows", {}).items()
            ]
            if points:
                is_ours = engine in ("slim", "ours_feast")
                axis.plot(*zip(*points, strict=True), marker="o", label=engine, lw=2.5 if is_ours else 1.2)
        axis.set(xlabel="rows a lookup", ylabel=metric.replace("_", " "), xscale="log", yscale="log")
        axis.set_title(shape.replace("x", " views, ") + " features", fontsize=10)
        axis.grid(alpha=0.3, which="both")
    axes[0].legend(fontsize=8)
    return save_chart(figure, "online_lookup")


def pyplot() -> Any:
    """Return matplotlib without a window, configured for reproducible files."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "refrain"
    from matplotlib import pyplot as plt

    return plt


def save_chart(figure: Any, name: str) -> Path:
    """Save a chart beside the results."""
    target = RESULTS / f"{name}.svg"
    figure.savefig(target, metadata={"Date": None})
    pyplot().close(figure)
    return target


CHARTS = {
    "offline_join": (draw_offline_join, offline_join_table, "cost against depth and size"),
    "online_lookup": (draw_online_lookup, online_lookup_table, "milliseconds against rows"),
}
"""Benchmarks with a chart and a table of all figures."""


def main() -> None:
    """Run the requested benchmarks, then write the page."""
    if sys.argv[1:2] == ["compare"]:
        from benchmarks.compare.run import main as compare

        compare(sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[*NAMES, *ON_REQUEST, []], help="benchmarks to run [all]")
    parser.add_argument("--page", action="store_true", help="write only the page, run nothing")
    options = parser.parse_args()
    for name in [] if options.page else options.names or NAMES:
        run(name)
    write_page()


if __name__ == "__main__":
    main()
