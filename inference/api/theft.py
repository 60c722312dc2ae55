"""Counts the questions of requests against the theft of models, and refuses those above a budget."""

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import Request
from starlette.exceptions import HTTPException

from inference.api.errors import retry_after
from inference.security.caller import Caller
from inference.security.theft.guard import Refusal, Rows, TheftGuard

STATUS = {"questions": 429, "theft": 403, "uncounted": 503}


def check_questions(
    request: Request,
    model: str,
    questions: Sequence[str],
    *,
    keys: Mapping[str, Sequence[str]] | None = None,
    people: Mapping[str, Sequence[str]] | None = None,
    unknown: int = 0,
    rows: Rows | None = None,
    raises_alarms: bool = True,
) -> None:
    """Count the questions of a request. Call it in a thread: it may wait for Redis.

    Args:
        request: the HTTP request; without the layer of access there is no caller, and nothing is counted.
        model: the model or feature service that is asked.
        questions: one text each; equal texts are the same question.
        keys: join key → keys that are asked about.
        people: join key → keys whose order says nothing, as those of observations that are reported.
        unknown: number of questions about keys that nothing is stored of.
        rows: what the model saw.
        raises_alarms: whether the owner is compared with ordinary ones; not where no question ever comes again.

    Raises:
        HTTPException: 429, a budget of distinct questions is used up; 403, the owner of the key is held back after an
            alarm; 503, questions cannot be counted and the project refuses them then.
    """
    caller = caller_of(request)
    guard: TheftGuard | None = getattr(request.app.state, "theft", None)
    if caller is None or guard is None:
        return
    refusal = guard.check(
        caller, model, questions, keys=keys, people=people, unknown=unknown, rows=rows, raises_alarms=raises_alarms
    )
    if refusal is not None:
        raise _to_exception(refusal)


def caller_of(request: Request) -> Caller | None:
    """Return the caller of a request; None without the layer of access."""
    caller: Caller | None = request.scope.get("state", {}).get("caller")
    return caller


def texts_of(keys: Mapping[str, Sequence[Any]]) -> dict[str, list[str]]:
    """Return the keys of a request as texts, each list as long as the longest one.

    >>> texts_of({"user_id": ["u1"], "track_id": ["t1", "t2"]})
    {'user_id': ['u1', 'u1'], 'track_id': ['t1', 't2']}
    """
    longest = max((len(values) for values in keys.values()), default=0)
    return {
        name: [str(value) for value in values] * (longest if len(values) == 1 else 1) for name, values in keys.items()
    }


def questions_of(keys: Mapping[str, Sequence[str]], request: Mapping[str, Any] | None = None) -> list[str]:
    """Return one question for each row of keys, with the request fields that it was asked with.

    >>> questions_of({"user_id": ["u1", "u2"]}), questions_of({"user_id": ["u1"]}, {"price": 3.0})
    (["('u1',)", "('u2',)"], ["('u1', 'price=3.0')"])
    """
    fields = sorted((request or {}).items())
    rows = zip(*(keys[name] for name in sorted(keys)), strict=False)
    return [
        str((*row, *(f"{name}={value[place] if _is_list(value, place) else value}" for name, value in fields)))
        for place, row in enumerate(rows)
    ]


def _is_list(value: Any, place: int) -> bool:
    return isinstance(value, list) and place < len(value)


def _to_exception(refusal: Refusal) -> HTTPException:
    return HTTPException(STATUS[refusal.reason], refusal.detail, retry_after(refusal.wait_s))
