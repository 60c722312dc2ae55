"""Runs a contest: python -m benchmarks compare recommendation|anomaly|forecasting.

    python -m benchmarks compare recommendation
    python -m benchmarks compare anomaly --size 10 --rivals pyod_iforest

Writes docs/benchmarks/compare/<task>.md and .json.
"""

import argparse
import json
import tempfile
import textwrap
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.compare.contest import Contest, Scores
from benchmarks.compare.rival import FOLDER, RivalResult, rivals_of, run_rival
from benchmarks.surroundings import MACHINE, data_set
from feature_repo.discovery import definitions
from feature_repo.home import REPOSITORY
from training.validation.comparison import in_words
from training.validation.evidence import MODEL_KEY, Evidence

RESULTS = REPOSITORY / "docs" / "benchmarks" / "compare"


def contests() -> dict[str, Contest]:
    """All contests by name."""
    return definitions("benchmarks.compare.contests", Contest)


def compare(
    contest: Contest,
    data: Path,
    *,
    size: int = 0,
    programs: Sequence[Path] | None = None,
    cache: Path | None = None,
    python: Path | None = None,
) -> dict[str, Any]:
    """Runs a contest.

    Args:
        contest: the task.
        data: its data set.
        size: bound on the test cases; 0 for all.
        programs: rivals; those of the contest if None.
        cache: folder of the rivals' environments.
        python: an interpreter for all rivals, in place of their own environments.

    Returns:
        The figures of every model, differences from ours with paired intervals, and the rivals that failed.
    """
    with tempfile.TemporaryDirectory() as scratch:
        split = Path(scratch) / "split"
        split.mkdir()
        contest.prepare(data, split, size)
        started = time.process_time()
        scores = {name: contest.score(split, answers) for name, answers in contest.answer(split).items()}
        seconds = dict.fromkeys(scores, round(time.process_time() - started, 1))
        main_model = next(iter(scores))
        failures: dict[str, str] = {}
        for program in rivals_of(contest.name) if programs is None else programs:
            print(f"{program.stem} …", flush=True)
            result = run_rival(program, split, cache=cache, python=python)
            failure = _take(contest, split, result, scores)
            if failure:
                failures[result.name] = failure
                print(f"{result.name}: {failure}", flush=True)
            else:
                seconds[result.name] = round(result.seconds, 1)
    return _result(contest, scores, seconds, failures, main_model, size)


def _take(contest: Contest, split: Path, result: RivalResult, scores: dict[str, Scores]) -> str:
    """Scores the answers of a rival; returns why they cannot be, or nothing."""
    if result.answers is None:
        return result.failure
    try:
        scores[result.name] = contest.score(split, result.answers)
    except Exception as error:  # whatever a rival answers, the others go on
        return f"answers that cannot be scored: {type(error).__name__}: {str(error)[:200]}"
    return ""


def _result(
    contest: Contest,
    scores: dict[str, Scores],
    seconds: dict[str, float],
    failures: dict[str, str],
    main_model: str,
    size: int,
) -> dict[str, Any]:
    cases = sorted(scores[main_model].cases)
    clusters = [scores[main_model].clusters.get(case, case) for case in cases]
    values = {name: [each.cases.get(case, float("nan")) for case in cases] for name, each in scores.items()}
    figures: dict[str, Any] = {}
    for name, each in scores.items():
        evidence = Evidence.of(
            contest.metric,
            cases,
            {MODEL_KEY: values[main_model], name: values[name]},  # type: ignore[dict-item]
            higher_is_better=contest.higher_is_better,
            clusters=clusters,
        )
        own, gain = evidence.figure(name), evidence.gain(name)
        figures[name] = {
            contest.metric: [round(number, 4) for number in (own.mean, own.low, own.high)],
            **{metric: round(value, 4) for metric, value in each.further.items()},
            "processor_seconds": seconds[name],
        }
        if name != main_model:
            figures[name]["we_are"] = in_words(gain, name)
    order = sorted(figures, key=lambda name: figures[name][contest.metric][0], reverse=contest.higher_is_better)
    return {
        "benchmark": f"compare_{contest.name}",
        "machine": MACHINE,
        "data": contest.data,
        "size": size or "all",
        "metric": contest.metric,
        "cases": len(cases),
        "main": main_model,
        "figures": {name: figures[name] for name in order},
        "failures": failures,
    }


def page(contest: Contest, result: dict[str, Any]) -> str:
    """The result as a page."""
    metric = contest.metric
    further = [name for name in result["figures"][result["main"]] if name not in (metric, "processor_seconds")]
    size = "" if result["size"] == "all" else f" --size {result['size']}"
    command = (
        f"`python -m benchmarks compare {contest.name}{size}` on {result['machine']}, {result['cases']:,} test cases."
    )
    lines = [f"# {contest.name.capitalize()}: our model and those of the field", "", *textwrap.wrap(command, 120), ""]
    lines += [*textwrap.wrap(contest.protocol, 120), ""]
    lines += [f"| model | {metric} (95 %) | {' | '.join(further)} | processor, s | {result['main']} is |"]
    lines += ["|---" * (len(further) + 4) + "|"]
    for name, figures in result["figures"].items():
        mean, low, high = figures[metric]
        cells = [f"{figures.get(one, '')}" for one in further]
        lines.append(
            f"| {name} | {mean:.4f} ({low:.4f} to {high:.4f}) | {' | '.join(cells)} | {figures['processor_seconds']} | "
            f"{figures.get('we_are', '')} |"
        )
    lines += [""]
    if result["failures"]:
        lines += ["| rival that did not run | reason |", "|---|---|"]
        lines += [f"| {name} | {_cell(reason)} |" for name, reason in result["failures"].items()] + [""]
    return "\n".join(lines)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "/").split())


def main(words: Sequence[str]) -> None:
    """Runs the contest that a command line names, and writes its page."""
    known = contests()
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks compare", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("contest", choices=sorted(known))
    parser.add_argument("--data", type=Path, help="folder of the data set")
    parser.add_argument("--size", type=int, default=0, help="bound on the test cases [all]")
    parser.add_argument("--rivals", nargs="*", help="names of rivals [all of the contest]")
    parser.add_argument("--cache", type=Path, help="folder of the rivals' environments [~/.cache/refrain/compare]")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the page")
    options = parser.parse_args(words)
    contest = known[options.contest]
    programs = rivals_of(contest.name)
    if options.rivals is not None:
        unknown = set(options.rivals) - {program.stem for program in programs}
        if unknown:
            raise SystemExit(f"expected rivals of {FOLDER / contest.name}; found {', '.join(sorted(unknown))}")
        programs = [program for program in programs if program.stem in options.rivals]
    result = compare(
        contest, data_set(contest.data, options.data), size=options.size, programs=programs, cache=options.cache
    )
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / f"{contest.name}.json").write_text(json.dumps(result, indent=1) + "\n")
    text = page(contest, result)
    (options.out / f"{contest.name}.md").write_text(text)
    print(text)
