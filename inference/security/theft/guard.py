"""Counts every question of the routes, refuses those above a budget, and raises alarms about systematic owners.

An answer waits for the count where the count can refuse it. Elsewhere a thread counts by and by, as it writes logs.
"""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from prometheus_client import CollectorRegistry

from feature_repo.home import Home
from feature_repo.model_theft import REFUSE, TheftSettings
from feature_repo.project import Project
from inference.monitoring.background_thread import BackgroundThread
from inference.monitoring.counters import labelled_counter
from inference.security.audit import AuditLog
from inference.security.caller import Caller
from inference.security.theft.counts import DAY, MONTH, Budget, Count, QuestionCounts
from inference.security.theft.ordinary import NEW, Profile, checkpoint_between
from inference.security.theft.row_marks import RowMarks
from inference.security.theft.successors import MAX_OWNERS, Successors

PAUSE_S = 1.0
"""Seconds for which questions are not counted after Redis did not answer."""
ALARMS = ("new", "successor", "unknown", "outside", "far", "undecided", "stepped", "canary")
"""Reasons of alarms."""
SUCCESSOR, UNKNOWN, CANARY = "successor", "unknown", "canary"
_log = logging.getLogger("refrain.security")


@dataclass(frozen=True)
class Rows:
    """The rows of a question that the model saw.

    Attributes:
        marks: what is conspicuous about rows of this model.
        inputs: (n, d) rows.
        answers: (n,) what the model answers.
    """

    marks: RowMarks
    inputs: np.ndarray
    answers: np.ndarray


@dataclass(frozen=True)
class Refusal:
    """Why questions are refused.

    Attributes:
        reason: ``questions`` for a budget, ``theft`` after an alarm, ``uncounted`` while Redis does not answer.
        detail: the message for the caller.
        wait_s: seconds until they may be asked again.
    """

    reason: str
    detail: str
    wait_s: float


class TheftGuard:
    """Counts the questions of one process. Safe to share between threads.

    Args:
        home: the data folder; its project has the settings, and its manifest the address of Redis.
        audit: the audit log.
        registry: registry of the metrics.
        clock: monotonic clock in seconds.
    """

    def __init__(
        self, home: Home, audit: AuditLog, registry: CollectorRegistry, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.settings: TheftSettings = Project.load(home.project_folder).model_theft
        self._home, self._audit, self._clock = home, audit, clock
        self._counts: QuestionCounts | None = None
        self._lock = threading.Lock()
        self._successors = Successors()
        self._rows: OrderedDict[str, np.ndarray] = OrderedDict()
        self._alone_until = -1e300
        self._background = BackgroundThread[Callable[[], object]]("questions", _call_all)
        about = "Owners who were unlike ordinary ones, by what they did"
        self._alarms = labelled_counter(registry, "refrain_theft_alarms", about, "reason", ALARMS)
        about = "Requests whose questions were not let in, by reason"
        self._refused = labelled_counter(
            registry, "refrain_theft_refusals", about, "reason", ("questions", "theft", "uncounted")
        )
        about = "Requests whose questions were not counted, because Redis did not answer"
        self._uncounted = labelled_counter(registry, "refrain_theft_uncounted", about, "policy", ("answer", REFUSE))

    def check(
        self,
        caller: Caller,
        model: str,
        questions: Sequence[str],
        *,
        keys: Mapping[str, Sequence[str]] | None = None,
        people: Mapping[str, Sequence[str]] | None = None,
        unknown: int = 0,
        rows: Rows | None = None,
        raises_alarms: bool = True,
    ) -> Refusal | None:
        """Count questions; returns why they are refused, or None. It waits for Redis where they can be.

        Args:
            caller: who asks.
            model: the model or feature service.
            questions: one text each; equal texts are the same question.
            keys: join key → keys that are asked about, in this order.
            people: join key → keys whose order says nothing, as those of observations that are reported.
            unknown: number of questions about keys that nothing is stored of.
            rows: what the model saw.
            raises_alarms: whether the owner is compared with ordinary ones; not where no question ever comes again.
        """
        keys, people = keys or {}, people or {}
        budgets, kinds = self._budgets(caller), {*keys, *people} & set(self.settings.keys_per_month)
        count = partial(
            self._count, caller, model, questions, budgets, keys, people, unknown, rows, raises_alarms=raises_alarms
        )
        if budgets or kinds or self.settings.without_redis == REFUSE or self._holds_back(caller):
            return count()
        if not self._background.add(count):
            return self._not_counted()
        return None

    def flush(self) -> None:
        """Wait until all questions are counted."""
        self._background.flush()

    def _holds_back(self, caller: Caller) -> bool:
        """Whether an alarm stops the owner of a key."""
        return self.settings.action == REFUSE and caller.name not in self.settings.trusted

    def _count(
        self,
        caller: Caller,
        model: str,
        questions: Sequence[str],
        budgets: Sequence[Budget],
        keys: Mapping[str, Sequence[str]],
        people: Mapping[str, Sequence[str]],
        unknown: int,
        rows: Rows | None,
        *,
        raises_alarms: bool,
    ) -> Refusal | None:
        if self._clock() < self._alone_until:
            return self._not_counted()
        owner, holds_back, all_keys = caller.name, self._holds_back(caller), {**keys, **people}
        try:
            marks, canaries = self._marks(owner, model, keys, unknown, rows), self._canaries(all_keys)
            counts = self._connect()
            refusal = self._over_coverage(counts, owner, all_keys, canaries)
            if refusal is not None and not canaries:
                return refusal
            count = counts.add(owner, model, questions, budgets, marks, refuses_flagged=holds_back)
            is_compared = raises_alarms and owner not in self.settings.trusted
            reason = self._reason(count, len(questions), canaries, rows) if is_compared else None
            if reason is not None:
                self._alarm(counts, caller, model, *reason)
                count = Count(held_back=holds_back, wait_s=float(DAY)) if holds_back else count
        except Exception as error:  # Redis is away, or a value in it is damaged: no answer depends on it
            _log.warning("questions are not counted: %s", error)
            self._alone_until = self._clock() + PAUSE_S
            return self._not_counted()
        return self._refusal(count) or refusal

    def _not_counted(self) -> Refusal | None:
        policy = self.settings.without_redis
        self._uncounted.labels(policy).inc()
        if policy != REFUSE:
            return None
        self._refused.labels("uncounted").inc()
        return Refusal("uncounted", "questions cannot be counted at the moment", PAUSE_S)

    def _refusal(self, count: Count) -> Refusal | None:
        if count.held_back:
            self._refused.labels("theft").inc()
            return Refusal("theft", "this key asks unlike its kind and is held back; ask its operator", count.wait_s)
        if count.refused is None:
            return None
        self._refused.labels("questions").inc()
        budget = count.refused
        whose = "all keys together" if budget.whose == "tenant" else f"this {budget.whose}"
        period = "day" if budget.seconds == DAY else f"{budget.seconds // DAY} days"
        detail = f"the budget of {budget.most:,} distinct questions to one model in a {period} of {whose} is used up"
        return Refusal("questions", detail.replace("in a 30", "in 30"), count.wait_s)

    def _over_coverage(
        self, counts: QuestionCounts, owner: str, all_keys: Mapping[str, Sequence[str]], canaries: Sequence[str]
    ) -> Refusal | None:
        """Count the keys that an owner asks about, whatever the model; returns why they are refused, or None.

        Canaries do not count, so that no refusal tells them from other keys that are asked about again.
        """
        for name, most in self.settings.keys_per_month.items():
            keys = [key for key in all_keys.get(name, ()) if key not in canaries]
            if not keys:
                continue
            count = counts.add(owner, f"keys-{name}", keys, [Budget("owner", owner, most, MONTH)], {})
            if count.refused is not None:
                self._refused.labels("questions").inc()
                detail = f"the budget of {most:,} distinct {name} of all models in 30 days of this owner is used up"
                return Refusal("questions", detail, count.wait_s)
        return None

    def _budgets(self, caller: Caller) -> list[Budget]:
        settings, limits = self.settings, caller.limits
        budgets = [
            ("key", caller.id, None if limits is None else limits.questions_per_day, DAY),
            ("owner", caller.name, settings.questions_per_day, DAY),
            ("owner", caller.name, settings.questions_per_month, MONTH),
            ("tenant", "", settings.tenant_questions_per_month, MONTH),
        ]
        return [Budget(whose, name, most, seconds) for whose, name, most, seconds in budgets if most is not None]

    def _marks(
        self, owner: str, model: str, keys: Mapping[str, Sequence[str]], unknown: int, rows: Rows | None
    ) -> dict[str, int]:
        place = f"{model}/{owner}"
        if keys:
            longest = max(keys.values(), key=len)
            marks = {SUCCESSOR: self._successors.count(place, longest), UNKNOWN: unknown}
        else:
            marks = {}
        if rows is not None and len(rows.inputs):
            with self._lock:
                previous = self._rows.pop(place, None)
                self._rows[place] = rows.inputs[-1]
                if len(self._rows) > MAX_OWNERS:
                    self._rows.popitem(last=False)
            if previous is not None and previous.shape != rows.inputs.shape[1:]:
                previous = None  # another version of the model reads other columns
            marks |= rows.marks.count(rows.inputs, rows.answers, previous)
        return {name: count for name, count in marks.items() if count}

    def _canaries(self, keys: Mapping[str, Sequence[str]]) -> list[str]:
        known = self.settings.canaries
        return [key for name, values in keys.items() if name in known for key in values if key in known[name]]

    def _reason(
        self, count: Count, added: int, canaries: Sequence[str], rows: Rows | None
    ) -> tuple[str, float, int] | None:
        """Return the mark by which an owner is unlike ordinary ones, the score, and the number of questions."""
        if canaries:
            return CANARY, float(len(canaries)), count.total
        checkpoint = checkpoint_between(count.total - added, count.total)
        if checkpoint is None or count.marks is None:
            return None
        shares = {name: value / count.total for name, value in count.marks.items()}
        shares[NEW] = min(count.distinct / count.total, 1.0)
        for profile in (Profile.load("keys"), *([] if rows is None else [Profile.load("rows")])):
            score, name = profile.score(checkpoint, shares)
            if score > profile.threshold:
                return name, score, count.total
        return None

    def _alarm(self, counts: QuestionCounts, caller: Caller, model: str, name: str, score: float, total: int) -> None:
        if not counts.flag(caller.name, model, name):
            return
        self._alarms.labels(name).inc()
        _log.warning("%s asks %s systematically: %s, score %.1f", caller.name, model, name, score)
        self._audit.put(
            "model theft",
            key=caller.id,
            name=caller.name,
            model=model,
            reason=f"{name}, score {score:.2f} after {total} questions",
            action=self.settings.action,
        )

    def _connect(self) -> QuestionCounts:
        if self._counts is None:
            self._counts = QuestionCounts.open(self._home)
        return self._counts


def _call_all(counts: Sequence[Callable[[], object]]) -> None:
    for count in counts:
        count()
