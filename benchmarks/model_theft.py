"""Theft of models by asking: what a copy is worth, who is flagged, and whether a copy can be told as ours.

*Extraction*: a thief asks 100 to 10,000 questions and trains a copy; agreement is the share of test rows that copy and
model decide alike, or of films that both list; fidelity the squared correlation of their chances. Rows: NSL-KDD, with
boosted trees on both sides. Texts: SST-2. Lists: EASE on MovieLens. Answers are chances, chances of one digit, chances
with noise, or labels alone.

*Detection*: profiles of ordinary owners are fitted and calibrated (``benchmarks.protocols.askers``), and judged by
owners who share neither people nor rows with those. An extractor is flagged after so many questions; mixed extractors
ask natural questions in between. ``--write`` stores the profiles that serving uses.

*Ownership*: p-values of stolen and of independent models, and their calibration over random secrets; the price in
accuracy on the test rows.

*Cost*: CPU time of what a request pays, with Redis.

Judged on: development for settings of marks and watermark, on both data sets of rows with other secrets. Detection is
held out by people (keys) and by rows drawn at random (rows); the secrets of the ownership figures chose nothing.

    REFRAIN_TEST_DATA=../shared/data python -m benchmarks.model_theft [--quick] [--write]
"""

import argparse
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.protocols import extractors
from benchmarks.protocols.askers import (
    KEY_SHARES,
    ROW_SHARES,
    Visits,
    find_marks,
    key_shares,
    ordinary_key_owner,
    ordinary_row_owner,
    row_shares,
    simulate,
)
from benchmarks.protocols.ownership import Trial, independents, p_values, thieves
from benchmarks.protocols.theft_cost import cost_of_counting, cost_of_marks
from benchmarks.protocols.theft_data import Films, RowTarget, Sentences, connections, hits
from benchmarks.surroundings import MACHINE, data_set, judged
from inference.security.theft.ordinary import CHECKPOINTS, FALSE_ALARMS, Profile
from inference.security.theft.row_marks import RowMarks

QUESTIONS = (100, 500, 2_000, 10_000)
FITTED, CALIBRATED, JUDGED = 1_500, 6_000, 3_000
SHARES_OF_MIXED = (0.5, 0.2, 0.1)


def main() -> None:
    """Print one line a case, then one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few owners, secrets and questions; nothing is stored")
    parser.add_argument("--write", action="store_true", help="store the profiles of ordinary owners")
    options = parser.parse_args()
    cases: list[dict[str, Any]] = []

    def add(case: str, metric: str, value: float, goal: str | None = None, digits: int = 4) -> None:
        entry = {"case": case, "metric": metric, "value": float(f"{value:.{digits}g}")}
        cases.append(entry if goal is None else entry | {"goal": goal})
        print(f"{case:60}{metric:28}{entry['value']}", flush=True)

    rows = connections()
    sizes = QUESTIONS[:2] if options.quick else QUESTIONS
    extraction_of_rows(rows, sizes, add)
    extraction_of_texts(sizes, add)
    extraction_of_lists(sizes, add)
    owners = (400, 3_000, 300) if options.quick else (FITTED, CALIBRATED, JUDGED)
    detection_by_keys(owners, add, write=options.write and not options.quick)
    detection_by_rows(rows, owners, add, write=options.write and not options.quick)
    for name, target in (("connections", rows), ("hits", hits())):
        ownership(name, target, add, questions=2_000 if options.quick else 10_000, keys=20 if options.quick else 100)
    with tempfile.TemporaryDirectory() as folder:
        for metric, value in (*cost_of_counting(Path(folder)), *cost_of_marks(rows)):
            add("cost", metric, value)
    print(json.dumps({"benchmark": "model_theft", "machine": MACHINE, "cases": judged(cases)}))


Add = Callable[..., None]


def extraction_of_rows(target: RowTarget, sizes: tuple[int, ...], add: Add) -> None:
    """Copy the model of connections."""
    answer, reference, test = target.predictor(), target.reference, target.inputs[target.test]
    pool, truth = target.inputs[target.pool], answer(target.inputs[target.test])

    def judge(case: str, questions: np.ndarray, answers: np.ndarray) -> None:
        copy = extractors.fit_copy(questions, answers)(test)
        add(case, "agreement", np.mean((copy >= 0.5) == (truth >= 0.5)))
        add(case, "fidelity", _fidelity(copy, truth))

    for size in sizes:
        rng = np.random.default_rng(size)
        questions_by_kind = {
            "natural": pool[:size],
            "active": extractors.active(pool, answer, size, rng),
            "uniform": extractors.uniform(reference, size, rng),
            "grid": extractors.grid(reference, size, rng),
        }
        for name, questions in questions_by_kind.items():
            judge(f"rows, {size:,} questions, {name}", questions, answer(questions))
        answers = answer(pool[:size])
        noise = rng.normal(0, 0.05, size)
        for name, changed in (
            ("chances of one digit", answers.round(1)),
            ("noise of 0.05", np.clip(answers + noise, 0, 1)),
            ("labels alone", (answers >= 0.5).astype(float)),
        ):
            judge(f"rows, {size:,} questions, natural, {name}", pool[:size], changed)


def extraction_of_texts(sizes: tuple[int, ...], add: Add) -> None:
    """Copy the model of sentiment."""
    target = Sentences()
    test, pool = target.texts[target.test], target.texts[target.pool]
    truth = target.answer(test)
    words = sorted({word for text in pool.tolist() for word in text.split()})
    for size in sizes:
        rng = np.random.default_rng(size)
        made_up = np.array([" ".join(rng.choice(words, 10)) for _ in range(size)])
        for name, texts in (("natural", pool[:size]), ("random words", made_up)):
            answers = target.answer(texts)
            for kept, changed in (("", answers), (", labels alone", (answers >= 0.5).astype(float))):
                if len(set((changed >= 0.5).tolist())) < 2:
                    continue
                copy = target.copy(texts, changed)(test)
                add(f"texts, {size:,} questions, {name}{kept}", "agreement", np.mean((copy >= 0.5) == (truth >= 0.5)))


def extraction_of_lists(sizes: tuple[int, ...], add: Add) -> None:
    """Copy the lists of films."""
    target = Films()
    truth = target.answer(target.test)
    for size in sizes:
        rng = np.random.default_rng(size)
        people = target.pool[rng.integers(len(target.pool), size=size)]
        natural = np.where(rng.random(people.shape) < 0.7, people, 0).astype(np.float32)
        made_up = (rng.random(people.shape) < people.mean()).astype(np.float32)
        single = np.eye(people.shape[1], dtype=np.float32)[np.arange(size) % people.shape[1]]
        for name, histories in (("histories of others", natural), ("random histories", made_up), ("one film", single)):
            listed = target.copy(histories, target.answer(histories))(target.test)
            overlap = [
                len(set(list_of_model) & set(list_of_copy)) / len(list_of_model)
                for list_of_model, list_of_copy in zip(truth, listed, strict=True)
            ]
            add(f"lists, {size:,} questions, {name}", "agreement", np.mean(overlap))


def detection_by_keys(owners: tuple[int, int, int], add: Add, *, write: bool) -> None:
    """Calibrate and judge the profile of questions about keys."""
    visits = Visits.read(data_set("hetrec2011-lastfm-2k"))
    parts = [visits.people(part, 3) for part in range(3)]

    def ordinary(part: int) -> np.ndarray:
        seeds = range(10_000 * part, 10_000 * part + owners[part])
        return simulate(lambda seed: ordinary_key_owner(visits, parts[part], seed), seeds)

    profile = Profile.fit(KEY_SHARES, ordinary(0), ordinary(1))
    if write:
        profile.save("keys")
    _judge_ordinary("keys", profile, ordinary(2), add)
    known, rng = np.unique(visits.person), np.random.default_rng(1)
    natural = np.repeat(visits.person, visits.questions)
    walks = {
        "walk, one after the other": np.arange(2, 502),
        "walk with gaps": np.cumsum(rng.integers(1, 10, 500)),
        "known keys, shuffled": rng.permutation(known)[:500],
        "random numbers": rng.integers(1, 10**6, 500),
    }
    for name, keys in walks.items():
        add_flag(f"keys, {name}", _flagged(profile, key_shares(keys, ~np.isin(keys, known))), add, "== 1")
        for share in SHARES_OF_MIXED:
            own = rng.random(500) < share
            keys_of_owner = np.where(own, keys[np.cumsum(own) - 1], natural[5_000:5_500])
            shares = key_shares(keys_of_owner, ~np.isin(keys_of_owner, known))
            add_flag(f"keys, {name}, a share of {share:g} among natural ones", _flagged(profile, shares), add)


def detection_by_rows(target: RowTarget, owners: tuple[int, int, int], add: Add, *, write: bool) -> None:
    """Calibrate and judge the profile of questions that are rows."""
    answer, rng = target.predictor(), np.random.default_rng(1)
    marks = RowMarks.fit(target.reference, answer(target.reference))
    row_marks = find_marks(marks, target.inputs, answer(target.inputs))
    others = np.concatenate([target.pool, target.test, target.rest])
    *parts, pool = np.array_split(others, 4)

    def ordinary(part: int) -> np.ndarray:
        seeds = range(10_000 * part, 10_000 * part + owners[part])
        return simulate(
            lambda seed: ordinary_row_owner(target.groups, target.inputs, row_marks, parts[part], seed), seeds
        )

    profile = Profile.fit(ROW_SHARES, ordinary(0), ordinary(1))
    if write:
        profile.save("rows")
    _judge_ordinary("rows", profile, ordinary(2), add)
    known = target.inputs[pool]
    attacks = {name: make(known, 500, rng) for name, make in extractors.SYNTHETIC.items()}
    attacks["active"] = extractors.active(known, answer, 500, rng)
    attacks["natural, no row twice"] = known[:500]
    for name, attack in attacks.items():
        for share in (1.0, *SHARES_OF_MIXED):
            own = rng.random(500) < share
            rows = np.where(own[:, None], attack[np.cumsum(own) - 1], known[rng.integers(len(known), size=500)])
            shares = row_shares(rows, find_marks(marks, rows, answer(rows)), np.arange(500))
            mixed = "" if share == 1 else f", a share of {share:g} among natural ones"
            goal = "== 1" if share == 1 and name != "natural, no row twice" else None
            add_flag(f"rows, {name}{mixed}", _flagged(profile, shares), add, goal)


def ownership(name: str, target: RowTarget, add: Add, *, questions: int, keys: int) -> None:
    """Test stolen and independent models."""
    trial = Trial(target, seed=10)
    for thief, copy in thieves(trial, questions):
        goal = "<= 1e-06" if "boosted" in thief and "labels" not in thief else None
        add(f"{name}, stolen by {questions:,}: {thief}", "p_value", trial.test(copy).p_value, goal, digits=2)
    suspects = list(independents(target))
    for suspect, model in suspects:
        add(f"{name}, independent: {suspect}", "p_value", trial.test(model).p_value, ">= 0.05", digits=2)
    values = p_values(trial, [model for _, model in suspects], keys)
    for level in (0.05, 0.01):
        add(f"{name}, independent, {keys} secrets", f"share_below_{level}", np.mean(values < level), f"<= {level}")
    add(f"{name}, independent, {keys} secrets", "smallest_p_value", values.min(), digits=2)
    others = [Trial(target, seed) for seed in (11, 12, 13)]
    worst = max(other.test(next(thieves(other, questions))[1]).p_value for other in others)
    add(f"{name}, stolen, three other secrets", "largest_p_value", worst, "<= 1e-06", digits=2)
    for metric, value in zip(("accuracy_change", "lower_95", "upper_95"), trial.price(), strict=True):
        add(f"{name}, price of the watermark", metric, value)


def add_flag(case: str, after: int | None, add: Add, goal: str | None = None) -> None:
    """Add whether an owner is flagged within its first window, and after how many questions."""
    add(case, "flagged_within_500", after is not None, goal)
    if after is not None:
        add(case, "flagged_after", after)


def _judge_ordinary(kind: str, profile: Profile, owners: np.ndarray, add: Add) -> None:
    largest = np.array([profile.largest(owner) for owner in owners])
    add(
        f"{kind}, {len(owners):,} ordinary owners",
        "flagged",
        np.mean(largest > profile.threshold),
        f"<= {FALSE_ALARMS}",
    )


def _flagged(profile: Profile, shares: np.ndarray) -> int | None:
    """Return after how many questions of the first window an owner is flagged; None if it is not."""
    for place, point in enumerate(CHECKPOINTS):
        if (
            profile.score(point, dict(zip(profile.names, shares[0, place].tolist(), strict=True)))[0]
            > profile.threshold
        ):
            return point
    return None


def _fidelity(copy: np.ndarray, truth: np.ndarray) -> float:
    return float(np.corrcoef(copy, truth)[0, 1] ** 2) if copy.std() > 0 else 0.0


if __name__ == "__main__":
    main()
