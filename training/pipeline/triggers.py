"""When to train again: a champion that is old, much that is new, features that drifted, a figure that decayed.

Every look is kept, with its reasons, in ``retraining.jsonl``; so is what came of training again. A champion is only
replaced by a version that passed its gates.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from feature_repo.errors import RefrainError
from feature_repo.home import Home
from training.models.base import Model
from training.models.served import ServedTabular
from training.models.tabular import TabularModel
from training.pipeline.digests import rows as rows_of
from training.pipeline.models import Outcome, run_model
from training.registry import champion_of, evidence_of, lineage_of, promote_by_itself
from training.validation.bootstrap import interval
from training.validation.training_data import listed
from transforms.drift import VERDICTS, compare
from transforms.raw.read import scan

DECISIONS = "retraining.jsonl"
RECENT = 2_000
"""Rows since the cutoff that drift and decay are looked for in; the newest."""
FEWEST = 100


@dataclass(frozen=True)
class Policy:
    """What is borne.

    Attributes:
        days: of events since the champion's cutoff.
        growth: of the rows of a raw table since it was trained, as a share.
        drifted: share of its features that may have drifted.
        decay: of its figure on what came since, as a share, at the better end of the 95 % interval.
    """

    days: float = 7.0
    growth: float = 0.1
    drifted: float = 0.2
    decay: float = 0.1


@dataclass(frozen=True)
class Watched:
    """One champion, looked at.

    Attributes:
        model: its name.
        version: of the champion.
        due: whether it should be trained again.
        reasons: of that.
        found: everything that was looked at, in words.
    """

    model: str
    version: int
    due: bool
    reasons: tuple[str, ...]
    found: tuple[str, ...]


def watch(home: Home, models: Sequence[Model], policy: Policy | None = None) -> list[Watched]:
    """Look at the champions of some models."""
    policy = policy or Policy()
    found = []
    for model in models:
        version = champion_of(home, model.name)
        if version is not None:
            found.append(_watched(home, model, version, policy))
    return found


def retrain(home: Home, models: Sequence[Model], policy: Policy | None = None, *, act: bool = True) -> list[Watched]:
    """Train again what is due, promote what passes its gates, and keep every decision with its reason.

    Args:
        home: the data folder.
        models: whose champions are looked at.
        policy: what is borne.
        act: train; otherwise only look.
    """
    watched = watch(home, models, policy)
    by_name = {model.name: model for model in models}
    for one in watched:
        came = "only looked at"
        if not one.due:
            came = "kept: nothing is due"
        elif act:
            came = _again(home, by_name[one.model], one)
        note(home, one, came)
    return watched


def note(home: Home, watched: Watched, came: str) -> None:
    """Keep a decision."""
    path = home.pipeline / DECISIONS
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(json.dumps({"at": datetime.now(UTC).isoformat(), **asdict(watched), "came": came}) + "\n")


def decisions(home: Home) -> list[dict[str, object]]:
    """All that were kept, oldest first."""
    try:
        return [json.loads(line) for line in (home.pipeline / DECISIONS).read_text().splitlines() if line]
    except FileNotFoundError:
        return []


def _again(home: Home, model: Model, watched: Watched) -> str:
    try:
        outcome: Outcome = run_model(home, model)
    except RefrainError as error:
        return f"kept {watched.version}: {error.expected}; found {error.found}"
    reason = f"trained again: {'; '.join(watched.reasons)}"
    return promote_by_itself(home, model.name, outcome.version or 0, outcome.decision, reason)


def _watched(home: Home, model: Model, version: int, policy: Policy) -> Watched:
    reasons, found = [], []
    for name, limit, told in (*_age(home, model, version, policy), *_volume(home, model, version, policy)):
        found.append(told)
        if limit:
            reasons.append(f"{name}: {told}")
    if isinstance(model, TabularModel):
        for name, limit, told in _rows(home, model, version, policy):
            found.append(told)
            if limit:
                reasons.append(f"{name}: {told}")
    return Watched(model.name, version, bool(reasons), tuple(reasons), tuple(found))


def _age(home: Home, model: Model, version: int, policy: Policy) -> list[tuple[str, bool, str]]:
    """Days from the champion's cutoff to the newest event of its raw tables."""
    newest = None
    for table in model.raw:
        column = scan(home, table).select("event_timestamp").max().collect().item()
        newest = column if newest is None or (column is not None and column > newest) else newest
    told = json.loads((home.bundles(model.name) / str(version) / "manifest.json").read_text())["cutoff"]
    if newest is None:
        return []
    cutoff = datetime.fromisoformat(told)
    cutoff = cutoff if cutoff.tzinfo else cutoff.replace(tzinfo=UTC)
    days = (newest - cutoff).total_seconds() / 86_400
    return [("schedule", days > policy.days, f"{days:.1f} days of events since its cutoff, {policy.days:g} go")]


def _volume(home: Home, model: Model, version: int, policy: Policy) -> list[tuple[str, bool, str]]:
    before = lineage_of(home, model.name, version).get("rows", {})
    found = []
    for table in model.raw:
        if before.get(table):
            growth = rows_of(home, table) / before[table] - 1
            found.append(("volume", growth > policy.growth, f"{table} grew by {growth:.1%}, {policy.growth:.0%} goes"))
    return found


def _rows(home: Home, model: TabularModel, version: int, policy: Policy) -> list[tuple[str, bool, str]]:
    """Drift of the features, and decay of the figure, on labelled rows after the cutoff."""
    served = ServedTabular.load(home, f"{model.name}:{version}")
    told = model.rows(home)
    fresh = told.filter(told["event_timestamp"] > datetime.fromisoformat(served.cutoff)).sort("event_timestamp")
    if fresh.height < FEWEST:
        return [("drift", False, f"{fresh.height} labelled rows since its cutoff, too few to tell drift and decay")]
    model = model.leaving_out(served.extra["without"])
    recent = model.pull_rows(home, fresh.tail(RECENT))
    background = served.background()
    moved = []
    for name in served.layout.names:
        drift = compare(name, listed(background[f"features/{name}"]), listed(recent.features[name]))
        if drift.verdict == VERDICTS[-1]:
            moved.append(name)
    share = len(moved) / max(len(served.layout.names), 1)
    names = f": {', '.join(moved[:5])}" if moved else ""
    found = [("drift", share > policy.drifted, f"{share:.0%} of the features drifted, {policy.drifted:.0%} go{names}")]
    evidence = evidence_of(home, model.name, version)
    if evidence is not None:
        then = evidence.figure().mean
        now = interval(model.loss(served.predict(recent), recent.labels), recent.clusters)
        decayed = now.low > then * (1 + policy.decay)
        told_now = f"{model.metric} {now} since, {then:.4f} on its test"
        found.append(("decay", decayed, told_now))
    return found
