"""Series of the Numenta Anomaly Benchmark: our detector and rivals, at thresholds of other families."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.compare.contest import TRUTH, Contest, Scores
from benchmarks.quality_nab import load
from training.evaluate.nab import NabSeries, nab_score
from transforms.pure.anomaly.series import DEFAULT_POLICY, SeriesDetector

LEARNING_SHARE = 0.15
"""Share of a series that is for learning, by NAB's rules."""


def prepare(data: Path, folder: Path, size: int) -> None:
    """Writes ``series`` (series, row, time, value, learning) and the truth (series, first, last)."""
    corpus = load(data)
    corpus = corpus[:: max(len(corpus) // size, 1)][:size] if size else corpus
    parts = [
        pl.DataFrame(
            {
                "series": [entry.name] * len(entry.values),
                "row": range(len(entry.values)),
                "time": entry.times,
                "value": entry.values,
                "learning": np.arange(len(entry.values)) < LEARNING_SHARE * len(entry.values),
            }
        )
        for entry in corpus
    ]
    pl.concat(parts).write_parquet(folder / "series.parquet")
    windows = [(entry.name, first, last) for entry in corpus for first, last in entry.windows]
    schema = {"series": pl.String, "first": pl.Int64, "last": pl.Int64}
    pl.DataFrame(windows, schema=schema, orient="row").write_parquet(folder / TRUTH)


def answer(folder: Path) -> Mapping[str, pl.DataFrame]:
    """The scores of the detector by which ``refrain anomalies`` scores a series by its own past."""
    rows = pl.read_parquet(folder / "series.parquet")
    names, times = rows["series"].to_list(), rows["time"].to_numpy()
    scores = SeriesDetector().replay(names, times, rows["value"].to_numpy())
    return {"refrain, series": rows.select("series", "row", score=pl.Series(np.nan_to_num(scores.score)))}


def score(folder: Path, answers: pl.DataFrame) -> Scores:
    """NAB's standard score of each family of series, in parts of its series.

    The threshold of a family is the best on all other families, for every model alike; of scores that are near in time
    only the highest counts, as NAB counts every false alarm.
    """
    rows = pl.read_parquet(folder / "series.parquet").select("series", "row")
    truth = pl.read_parquet(folder / TRUTH)
    joined = rows.join(answers, on=["series", "row"], how="left").sort("series", "row")
    windows = {
        name: sorted(zip(first, last, strict=True))
        for name, first, last in truth.group_by("series").agg("first", "last").iter_rows()
    }
    corpus = {
        str(name): NabSeries(_peaks(part["score"].cast(pl.Float64).fill_null(0.0).to_numpy()), windows.get(name, []))
        for (name,), part in joined.group_by("series", maintain_order=True)
    }
    family_of = {name: name.partition("/")[0] for name in corpus}
    cases, found, total, false_alarms = {}, 0, 0, 0
    for family in dict.fromkeys(family_of.values()):
        others = [series for name, series in corpus.items() if family_of[name] != family]
        threshold = nab_score(others).threshold
        for name in (name for name in corpus if family_of[name] == family):
            alone = nab_score([corpus[name]], threshold)
            if corpus[name].windows:
                cases[name] = alone.score
            found, total = found + alone.found, total + alone.windows
            false_alarms += alone.false_alarms
    further = {"found": found / max(total, 1), "false alarms": float(false_alarms), "series": float(len(corpus))}
    return Scores(cases, family_of, further)


def _peaks(scores: np.ndarray) -> np.ndarray:
    """Zero the scores around each higher one, within the time in which a detector stays quiet after an alarm."""
    peaks = np.zeros_like(scores)
    is_free = np.ones(len(scores), bool)
    for place in np.argsort(-scores, kind="stable"):
        if is_free[place] and scores[place] > 0:
            peaks[place] = scores[place]
            is_free[max(place - DEFAULT_POLICY.quiet, 0) : place + DEFAULT_POLICY.quiet + 1] = False
    return peaks


CONTEST = Contest(
    "anomaly",
    "nab",
    "NAB score of a series",
    True,
    "The series of NAB that are here, with the first 15 % of each for learning. Scored by NAB's standard profile at a "
    "threshold that is the best on the other families of series (folders of NAB), so that no family's labels choose "
    "its own. Scores are per series with an anomaly, intervals over families. Judged on development data: our detector "
    "was developed on these series, the rivals were not.",
    prepare,
    answer,
    score,
)
