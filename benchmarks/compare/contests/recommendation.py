"""New films for the people of MovieLens 100k: what ``refrain recommend-from`` answers, and rivals."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.compare.contest import TRUTH, Contest, Scores
from benchmarks.protocols import movielens
from refrain.own_file.recommendation import Request, recommend_from_file
from refrain.own_file.table import OwnFile
from training.datasets import TimeSplit
from training.evaluate.ranking import ndcg, recall

DEPTH = 20


def prepare(data: Path, folder: Path, size: int) -> None:
    """Writes ``history`` (user, item, time), ``people`` (user) and the truth (user, item)."""
    plays = movielens.read(data)
    split = TimeSplit.by_share(plays.time)
    known, later = plays.heard_and_new(split.test, split.end)
    people = [person for person, items in sorted(later.items()) if len(items) and person in known]
    people = people[:size] if size else people
    past = plays.before(split.test)
    history = {
        "user": [plays.user_ids[user] for user in past.user.tolist()],
        "item": [plays.track_ids[track] for track in past.track.tolist()],
        "time": past.time // 1_000_000,
    }
    pl.DataFrame(history).write_parquet(folder / "history.parquet")
    pl.DataFrame({"user": [plays.user_ids[person] for person in people]}).write_parquet(folder / "people.parquet")
    truth = [(plays.user_ids[person], plays.track_ids[item]) for person in people for item in later[person].tolist()]
    pl.DataFrame(truth, schema=["user", "item"], orient="row").write_parquet(folder / TRUTH)


def answer(folder: Path) -> Mapping[str, pl.DataFrame]:
    """The lists of ``refrain recommend-from``, which splits the history again to choose."""
    people = tuple(pl.read_parquet(folder / "people.parquet")["user"].to_list())
    file = OwnFile.read(folder / "history.parquet")
    result = recommend_from_file(file, Request("user", "item", "time", "s", DEPTH, people))
    return {"refrain recommend-from": result.answers}


def score(folder: Path, answers: pl.DataFrame) -> Scores:
    """NDCG@10 of each person; items of the history are left out of the lists before."""
    history = pl.read_parquet(folder / "history.parquet").select("user", "item")
    truth = pl.read_parquet(folder / TRUTH)
    answers = answers.with_columns(pl.col("user", "item").cast(pl.String)).join(
        history, on=["user", "item"], how="anti"
    )
    lists = dict(answers.sort("user", "rank").group_by("user").agg("item").iter_rows())
    relevant = dict(truth.group_by("user").agg("item").sort("user").iter_rows())
    gains, recalls = {}, []
    for person, items in relevant.items():
        ranked = np.array(lists.get(person, []), object)
        gains[person] = ndcg(ranked, np.array(items, object))
        recalls.append(recall(ranked, np.array(items, object)))
    return Scores(gains, {}, {"recall@20": float(np.mean(recalls)), "people": float(len(gains))})


CONTEST = Contest(
    "recommendation",
    movielens.DATA,
    "NDCG@10",
    True,
    "MovieLens 100k in order of time; the last tenth of the ratings is the test, everything before it is given. Each "
    "person with a new film in the test gets a list of 20 of all films that they had not rated; films that they rated "
    "are removed. Rivals may choose settings on a split of the history of their own. Judged on held-out data, of a "
    "set on which our algorithms were developed.",
    prepare,
    answer,
    score,
)
