"""Recommendation: whether a listener was learned from, and what a listener's vector tells about them.

Attacked are the sums that the parts of the bundle are solved from, the weights of EASE, the answers of item-kNN, and
the vectors of listeners. All listeners with plays are taken as they are now, with the parts' own bounds of plays. Of a
private version its mechanism is attacked, on simulated people.
"""

import json
from collections.abc import Sequence

import numpy as np
import polars as pl

from feature_repo.bundle import MANIFEST
from feature_repo.home import Home
from feature_repo.purposes import PERSONALISATION
from training.datasets import Interactions
from training.datasets.consent import raw_rows
from training.exact.kept import KeptSums
from training.models.recommendation.ease import EASE
from training.models.recommendation.ials import IALS
from training.models.recommendation.knowledge import MOST_FOR_EASE
from training.private.differential.ease import PrivateEASE
from training.private.leaks import histories, people_sums, private_ease
from training.private.leaks.attributes import Inference, infer
from training.private.leaks.halves import halves
from training.private.leaks.leak import Leak, undecided
from training.private.leaks.shadows import (
    FEWEST_PEOPLE,
    attack_models,
    attack_sums,
    shadow_confidence,
    too_few,
    worlds_for,
)
from training.private.leaks.subject import Request, Subject

WHY_SIMULATED = {"attacks on its own people": "figures of them would tell of them outside of ε"}
KEPT = "What did the person between two versions play?"


def measure(request: Request) -> tuple[Sequence[Leak], dict[str, str]]:
    """Attacks the parts of the bundle.

    Raises:
        StoreError: there are no plays.
        EncryptionError: the sums of the version are sealed, and the key is not there.
    """
    kept = None
    if request.version is not None:
        folder = request.home.bundles(request.model.name) / str(request.version)
        privacy = json.loads((folder / MANIFEST).read_text()).get("extra", {}).get("privacy")
        if privacy is not None:
            model = PrivateEASE(float(privacy["epsilon"]), float(privacy["delta"]))
            return private_ease.measure(model, request.seed, request.progress), dict(WHY_SIMULATED)
        kept = KeptSums.read(folder)
    plays = histories.drawn_people(Interactions.load(request.home), request.people, request.seed)
    leaks, left_out = _membership(request, plays)
    if kept is None:
        left_out["differencing"] = "the bundle keeps no sums"
    else:
        leaks.append(differencing_leak(plays.shape[0], len(kept.sums.tables)))
    request.progress(1, 1, "vectors of listeners")
    return leaks + _attributes(request, plays), left_out


def _membership(request: Request, plays: Interactions) -> tuple[list[Leak], dict[str, str]]:
    rows, left_out = histories.histories(plays), dict[str, str]()
    people, rng = rows.shape[0], np.random.default_rng(request.seed)
    if people < FEWEST_PEOPLE:
        return too_few("all parts", people, "listener"), {}
    leaks: list[Leak] = []
    sums = {
        "sums of popularity": histories.bounded_plays(plays),
        "sums of pairs (EASE, item-kNN)": people_sums.pairs(rows),
        "sums of transitions": histories.bounded_steps(plays),
    }
    for number, (part, added) in enumerate(sums.items(), 1):
        request.progress(number, len(sums), part)
        worlds = histories.most_worlds(worlds_for(people), added.shape[1])
        leaks += attack_sums(part, people_sums.scores(added, halves(people, worlds, rng)), unit="listener")
    if rows.shape[1] > MOST_FOR_EASE:
        for part in ("weights of EASE", "answers of item-kNN"):
            left_out[f"lira on the {part}"] = f"{rows.shape[1]:,} tracks, more than {MOST_FOR_EASE:,}"
        return leaks, left_out
    is_in = halves(people, worlds_for(people), rng)
    scores = histories.ease_scores(rows, is_in, EASE().regularization, request.progress)
    leaks += attack_sums("weights of EASE", scores, unit="listener")
    confidence, is_in = shadow_confidence(
        people, request.shadows, lambda mask: histories.knn_confidence(rows, mask), request.seed, request.progress
    )
    return leaks + attack_models("answers of item-kNN", confidence, is_in, "listener"), left_out


def differencing_leak(people: int, tables: int) -> Leak:
    """What the difference of two versions tells that a person is between: by arithmetic, all that it adds."""
    return Leak(
        "differencing",
        "sums that are kept beside the bundle",
        KEPT,
        "share of what the person adds that the difference of two tables is",
        1.0,
        1.0,
        1.0,
        0.0,
        people,
        f"By arithmetic: the {tables} tables are exact sums over people. Who has the tables of two "
        f"versions with one person between them has the person's plays; keep bundles from whom must not see them.",
    )


def _attributes(request: Request, plays: Interactions) -> list[Leak]:
    vectors = IALS(seed=request.seed).fit(plays, int(plays.time.max(initial=0)) + 1).user
    leaks = []
    for name, values in profiles(request.home, plays.user_ids).items():
        leaks += of_inference(name, infer(vectors, values, seed=request.seed), len(vectors))
    return leaks


def of_inference(name: str, inference: Inference | None, people: int) -> list[Leak]:
    """The figure of an attribute: how much more often than by the most frequent value it is inferred."""
    question, measure = f"What is a listener's {name}?", "share inferred from the vector"
    if inference is None:
        reason = f"fewer than two values of {name} that enough of {people:,} listeners have"
        return [undecided("attributes", "vectors of listeners", question, measure, 0.0, people, reason)]
    gain = inference.gain
    base = inference.baseline
    judged = (
        f"{inference.people:,} listeners, each inferred from others; {', '.join(inference.values)}. By chance: the "
        f"most frequent value for everybody; the interval is of the difference from it."
    )
    figures = (base + gain.mean, base + gain.low, base + gain.high)
    return [Leak("attributes", "vectors of listeners", question, measure, *figures, base, inference.people, judged)]


def profiles(home: Home, user_ids: Sequence[str]) -> dict[str, np.ndarray]:
    """Attribute → (people,) its newest value of each person, None where unknown; birth years in groups of 15."""
    columns = ("country", "gender", "birth_year")
    newest = raw_rows(home, "users", PERSONALISATION).sort("event_timestamp").select("user_id", *columns).collect()
    newest = newest.unique("user_id", keep="last", maintain_order=True)
    people = pl.DataFrame({"user_id": list(user_ids)}, schema={"user_id": pl.String})
    rows = people.join(newest, on="user_id", how="left", maintain_order="left")
    decade = (pl.col("birth_year") // 15 * 15).cast(pl.String).alias("birth_year")
    rows = rows.with_columns(decade)
    named = {"country": "country", "gender": "gender", "age group": "birth_year"}
    return {name: rows[column].to_numpy() for name, column in named.items() if rows[column].drop_nulls().n_unique()}


SUBJECT = Subject("recommendation", measure)
