"""Recommendations from a file of who played (bought, rated, read) what, by the best of several algorithms or a blend.

Rows are split by time: the last tenth is the test, the tenth before it the validation. Members are fitted to the rows
before the validation; each half of its people judges the members, and a blend whose weights the other half has learned.
A blend that wins learns its weights again on all of them. The choice is fitted to everything before the test and
measured once, by NDCG@10 of full lists of items that are new to each person, beside the
items that were most popular lately. Without times, a fifth of each person's items stands for what comes later: half of
the people for the validation, the others for the test.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from feature_repo.command_line import Progress, silent
from feature_repo.errors import InputError
from refrain.own_file import columns
from refrain.own_file.result import Result, Section, Verdict, figures_table, verdict_of
from refrain.own_file.table import OwnFile
from training.datasets import Interactions, TimeSplit
from training.evaluate.ranking import ndcg, rank_all, ranking_metrics
from training.models.recommendation.blend import BlendFit, learn_weights
from training.models.recommendation.contract import Fitted, Model
from training.models.recommendation.ease import EASE
from training.models.recommendation.ials import IALS
from training.models.recommendation.item_knn import ItemKNN
from training.models.recommendation.popularity import Popularity
from training.models.recommendation.transitions import Transitions
from training.models.recommendation.weighting import MICROSECONDS_A_DAY
from training.validation.evidence import MODEL_KEY, Evidence

ALL_TIME, RECENT, BLEND = "popularity", "popularity, recent", "blend"
"""Names of the plain model without times, of that with times, and of the blend of all models."""
LEAST_ROWS, LEAST_QUESTIONS = 100, 10
MOST_DENSE = 6_000
"""Items beyond which EASE, which inverts a matrix of items or people, is left out."""
BATCH, DEPTH = 256, 20


@dataclass(frozen=True)
class Request:
    """What a person wants.

    Attributes:
        user: column of the people; empty to search.
        item: column of the items; empty to search.
        time: column of times; empty to search.
        time_format: unit or format of the times.
        count: number of items for each person.
        only: people who get recommendations; all if empty.
    """

    user: str = ""
    item: str = ""
    time: str = ""
    time_format: str = ""
    count: int = 10
    only: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Questions:
    """What is to be recommended.

    Attributes:
        cutoff: first moment that models may not know.
        known: person → items before it.
        later: person → items after it that are new to them.
    """

    cutoff: int
    known: dict[int, np.ndarray]
    later: dict[int, np.ndarray]


def recommend_from_file(file: OwnFile, request: Request, *, seed: int = 0, progress: Progress = silent) -> Result:
    """Recommends items to the people of a file.

    Args:
        file: the file.
        request: which columns, and how many items.
        seed: seed of the models and of the split without times.
        progress: callback of the progress.

    Returns:
        The result; its answers have ``user``, ``rank`` (from 1), ``item`` and ``score``, best first, without items that
        the person has.

    Raises:
        InputError: a column is not there, there is one person or one item, or too few rows.
    """
    user = columns.require(file, "user", "people", given=request.user)
    item = columns.require(file, "item", "items", given=request.item, without=[user])
    times = columns.times(file, given=request.time, form=request.time_format, without=[user, item])
    rows, lines = _rows(file, user, item, times)
    data = _interactions(rows)
    _check_size(file, data, rows.height, user, item)
    has_time = times is not None and rows["time"].n_unique() >= 10
    data, validation, test, how = _split(data, has_time, seed)
    lines += [f"{len(data.user_ids):,} people, {len(data.track_ids):,} items, {len(data.time):,} rows; {how}"]
    models, plain = _models(data, has_time, seed), RECENT if has_time else ALL_TIME
    steps = 2 * len(models) + 2
    validation_people = len(_people(validation))
    if validation_people < LEAST_QUESTIONS or len(_people(test)) < LEAST_QUESTIONS:
        why = (
            f"{validation_people} people with new items in the validation and {len(_people(test))} in the test; "
            f"{LEAST_QUESTIONS} are needed in each"
        )
        fit = models[plain].fit(data, _after(data))
        answers = _answers(data, fit, request)
        lines += [f"not measured: {why}; the answers are the most popular items that each person does not have"]
        return Result(
            f"Recommendations from {file.path.name}", [*file.lines, *lines], Verdict("undecided", why), [], answers
        )
    fitted: dict[str, Fitted] = {}
    for number, (name, model) in enumerate(models.items()):
        progress(number, steps, f"{name} before the validation")
        fitted[name] = model.fit(data, validation.cutoff)
    chosen, weights = _choose(fitted, validation)
    final: dict[str, Fitted] = {}
    for number, (name, model) in enumerate(models.items()):
        progress(len(models) + number, steps, f"{name} before the test")
        final[name] = model.fit(data, test.cutoff)
    final[BLEND] = BlendFit({name: final[name] for name in weights}, weights, test.known)
    gains, figures = _measure(final, test, len(data.track_ids))
    people = _people(test)
    names = [str(data.user_ids[person]) for person in people]
    evidence = Evidence.of("NDCG@10", names, {MODEL_KEY: gains[chosen], plain: gains[plain]}, higher_is_better=True)
    verdict = verdict_of(evidence, plain, is_baseline=chosen == plain)
    progress(steps - 1, steps, "answers")
    end = _after(data)
    if chosen == BLEND:
        members: Mapping[str, Fitted] = {name: models[name].fit(data, end) for name in weights}
        answer_fit: Fitted = BlendFit(members, weights, data.tracks_by_user())
    else:
        answer_fit = models[chosen].fit(data, end)
    shares = ", ".join(f"{name} {weight:.2f}" for name, weight in weights.items())
    lines += [
        f"chosen on {validation_people:,} people of the validation: {chosen}"
        + (f" ({shares})" if chosen == BLEND else ""),
        f"measured once on {len(people):,} people",
    ]
    text = (
        "NDCG@10, recall@20 and the share of the items that is shown to anybody, higher is better. Full lists of the "
        f"items that are new to each person. The choice was made on validation; the plain model is {plain}."
    )
    sections = [Section("Models on the test", (text,), figures_table(figures, chosen))]
    answers = _answers(data, answer_fit, request)
    return Result(f"Recommendations from {file.path.name}", [*file.lines, *lines], verdict, sections, answers)


def _rows(file: OwnFile, user: str, item: str, times: columns.Times | None) -> tuple[pl.DataFrame, list[str]]:
    """The rows with person, item and time, in order of time."""
    time = pl.repeat(0, file.rows, eager=True, dtype=pl.Int64)
    lines = [f"people: {user!r}; items: {item!r}; without times"]
    if times is not None:
        time = times.values.dt.timestamp("us")
        lines = [
            f"people: {user!r}; items: {item!r}",
            f"times: {times.column!r}, {times.words}; {columns.span(times.values)}",
        ]
    rows = pl.DataFrame({"user": file.texts(user), "item": file.texts(item), "time": time})
    complete = rows.drop_nulls()
    if complete.height < rows.height:
        lines.append(f"left out: {rows.height - complete.height:,} rows without a person, an item or a time")
    return complete.sort("time", maintain_order=True), lines


def _interactions(rows: pl.DataFrame) -> Interactions:
    users, items = rows["user"].unique().sort(), rows["item"].unique().sort()
    people = rows["user"].replace_strict(users, pl.int_range(len(users), eager=True), return_dtype=pl.Int64)
    things = rows["item"].replace_strict(items, pl.int_range(len(items), eager=True), return_dtype=pl.Int64)
    return Interactions(
        users.to_list(),
        items.to_list(),
        [None] * len(items),
        people.to_numpy(),
        things.to_numpy(),
        rows["time"].to_numpy(),
    )


def _check_size(file: OwnFile, data: Interactions, rows: int, user: str, item: str) -> None:
    """Refuses what nobody can be compared in.

    Raises:
        InputError: there are too few rows, or one person or item.
    """
    people, items = len(data.user_ids), len(data.track_ids)
    if people < 2:
        raise InputError(
            expected=f"two people or more in {user!r}, as recommendations compare what they have in common",
            found=f"{'one' if people else 'none'} in {rows:,} rows",
            next_command="refrain import FORMAT FILE && refrain model run recommendation  (learns what one listener "
            "hears again); or repeat the command with --user COLUMN",
        )
    if items < 2 or rows < LEAST_ROWS:
        raise InputError(
            expected=f"{LEAST_ROWS} rows of a person and an item in {file.path}, and two items or more",
            found=f"{rows:,} rows of {items:,} items in {item!r}",
            next_command="repeat the command with more rows, or with --item COLUMN",
        )


def _split(data: Interactions, has_time: bool, seed: int) -> tuple[Interactions, _Questions, _Questions, str]:
    """The rows, and the questions of validation and test."""
    if has_time:
        try:
            split = TimeSplit.by_share(data.time)
        except InputError:
            has_time = False
        else:
            validation = _Questions(split.validation, *data.heard_and_new(split.validation, split.test))
            test = _Questions(split.test, *data.heard_and_new(split.test, split.end))
            return data, validation, test, "split by time: the last tenth is the test, the one before it validation"
    rng = np.random.default_rng(seed)
    is_later = rng.random(len(data.time)) < 0.2
    is_tested = (rng.permutation(len(data.user_ids)) % 2 == 0)[data.user]
    moment = np.where(is_later, np.where(is_tested, 2, 1), 0)
    order = np.argsort(moment, kind="stable")
    ordered = Interactions(
        data.user_ids, data.track_ids, data.artist_ids, data.user[order], data.track[order], moment[order]
    )
    how = "split at random, as there are no times: a fifth of each person's rows stands for what comes later"
    validation = _Questions(1, *ordered.heard_and_new(1, 2))
    return ordered, validation, _Questions(2, *ordered.heard_and_new(2, 3)), how


def _models(data: Interactions, has_time: bool, seed: int) -> dict[str, Model]:
    """Algorithms by name; those that need an order only where there are times."""
    days = (int(data.time[-1]) - int(data.time[0])) / MICROSECONDS_A_DAY
    models: dict[str, Model] = {
        ALL_TIME: Popularity(),
        "ials": IALS(half_life_days=max(days / 4, 1.0) if has_time else None, seed=seed),
        "item_knn": ItemKNN(),
    }
    if min(data.shape) <= MOST_DENSE:
        models["ease"] = EASE()
    if has_time:
        models["ials, newest"] = IALS(half_life_days=max(days / 15, 1.0), seed=seed)
        models[RECENT] = Popularity(days=max(days / 8, 1.0))
        models["popularity, newest"] = Popularity(days=max(days / 30, 1.0))
        models["transitions"] = Transitions()
    return models


def _people(questions: _Questions) -> list[int]:
    """Those with a new item, in order."""
    return sorted(person for person, items in questions.later.items() if len(items))


def _choose(fitted: Mapping[str, Fitted], validation: _Questions) -> tuple[str, dict[str, float]]:
    """The best on validation, and the weights of the blend.

    Each half of the people judges a blend whose weights were learned on the other half.
    """
    people = _people(validation)
    halves = [people[::2], people[1::2]]
    gains: dict[str, list[float]] = {name: [] for name in (*fitted, BLEND)}
    for learning, judging in (halves, halves[::-1]):
        blend = BlendFit(fitted, _weights(fitted, validation, learning), validation.known)
        part = _Questions(validation.cutoff, validation.known, {one: validation.later[one] for one in judging})
        for name, fit in {**fitted, BLEND: blend}.items():
            gains[name] += _gains(_lists(fit, part), part).tolist()
    chosen = max(gains, key=lambda name: float(np.mean(gains[name])))
    return chosen, _weights(fitted, validation, people)


def _weights(fitted: Mapping[str, Fitted], validation: _Questions, people: list[int]) -> dict[str, float]:
    """The weights of a blend that rank the new items of some people best; members without weight are left out."""
    learned = learn_weights(fitted, validation.known, {person: validation.later[person] for person in people})
    return {name: weight for name, weight in learned.items() if weight}


def _best(
    fit: Fitted, people: list[int], known: Mapping[int, np.ndarray], depth: int
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Yields each person with items, best first, without those that they have, and the scores of these items."""
    for start in range(0, len(people), BATCH):
        batch = np.array(people[start : start + BATCH], np.int64)
        for person, scores in zip(batch.tolist(), np.asarray(fit.scores(batch)), strict=True):
            best = rank_all(scores, known.get(person, np.empty(0, np.int64)), depth)
            yield person, best, scores[best]


def _lists(fit: Fitted, questions: _Questions) -> dict[int, np.ndarray]:
    """Person → items, best first, of everybody with a new item."""
    return {person: best for person, best, _ in _best(fit, _people(questions), questions.known, DEPTH)}


def _gains(lists: Mapping[int, np.ndarray], questions: _Questions) -> np.ndarray:
    """(people,) NDCG@10 of each person."""
    return np.array([ndcg(lists[person], questions.later[person]) for person in _people(questions)])


def _measure(
    final: Mapping[str, Fitted], test: _Questions, items: int
) -> tuple[dict[str, np.ndarray], dict[str, dict[str, float]]]:
    """Model → NDCG@10 of each person; model → figures."""
    gains, figures = {}, {}
    for name, fit in final.items():
        lists = _lists(fit, test)
        metrics = ranking_metrics(lists, test.later, items)
        gains[name] = _gains(lists, test)
        figures[name] = {
            "NDCG@10": metrics.ndcg_at_10,
            "recall@20": metrics.recall_at_20,
            "coverage@10": metrics.coverage_at_10,
        }
    return gains, dict(sorted(figures.items(), key=lambda item: -item[1]["NDCG@10"]))


def _after(data: Interactions) -> int:
    return int(data.time[-1]) + 1


def _answers(data: Interactions, fit: Fitted, request: Request) -> pl.DataFrame:
    """The lists of all people, or of those who are named.

    Raises:
        InputError: a named person is not in the file.
    """
    number = {str(name): place for place, name in enumerate(data.user_ids)}
    unknown = [name for name in request.only if name not in number]
    if unknown:
        raise InputError(
            expected="people of the file after --only",
            found=f"{unknown[0]!r}; the file has {columns.listed([str(name) for name in data.user_ids], 5)}",
            next_command=f"repeat the command with --only {data.user_ids[0]}",
        )
    people = [number[name] for name in request.only] or list(range(len(data.user_ids)))
    users: list[str] = []
    ranks: list[int] = []
    items: list[str] = []
    scores: list[float] = []
    for person, best, values in _best(fit, people, data.tracks_by_user(), request.count):
        users += [str(data.user_ids[person])] * len(best)
        ranks += range(1, len(best) + 1)
        items += [str(data.track_ids[place]) for place in best.tolist()]
        scores += values.tolist()
    return pl.DataFrame(
        {"user": users, "rank": ranks, "item": items, "score": scores},
        schema={"user": pl.String, "rank": pl.Int64, "item": pl.String, "score": pl.Float64},
    )
