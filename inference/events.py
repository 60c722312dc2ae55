"""Appends events from clients to the stream (``feature_repo.events``); ``refrain stream`` reads them."""

import time
from dataclasses import dataclass

import msgspec

from feature_repo.clock import microseconds
from feature_repo.contract import contract_of
from feature_repo.errors import InputError
from feature_repo.events import Names, Refused, append, parse
from feature_repo.forgotten import FORGOTTEN, Forgotten
from feature_repo.home import Home
from feature_repo.horizon import TOO_OLD, Horizons
from feature_repo.manifest import load_address
from feature_repo.packed.server import READ_TIMEOUT, Server, open_server
from inference.request_rule import RequestRule
from inference.security.caller import Caller
from inference.security.event_budgets import EventBudgets

MOST_EVENTS = 1_000
LARGEST_BODY = 1 << 20
"""Maximum bytes of one request."""


class _Request(msgspec.Struct, forbid_unknown_fields=True):
    kind: str
    events: list[msgspec.Raw]


@dataclass(frozen=True)
class WriteOutcome:
    """The outcome of a request.

    Attributes:
        accepted: number of events that are in the stream now.
        refused: index and reason of each event that was refused.
    """

    accepted: int
    refused: list[tuple[int, str]]


class EventWriter:
    """Appends events to the stream. Safe to share between threads.

    >>> EventWriter().write(b'{"kind": "plays", "events": [{"user_id": "u1", …}]}')         # doctest: +SKIP
    """

    def __init__(self, home: Home | None = None) -> None:
        self._home = home = home or Home.from_env()
        self._forgotten, self._forgotten_at_ns = Forgotten(b""), 0
        self._horizons: dict[str, int] = {}
        self._horizons_at_ns = 0
        contract = contract_of(home)
        self._names, self._sources, self._limits = Names(home.project), contract.events, contract.project.plausibility
        self._server: Server = open_server(home, load_address(home), READ_TIMEOUT)

    def write(self, body: bytes, caller: Caller | None = None, budgets: EventBudgets | None = None) -> WriteOutcome:
        """Append the valid events of a request.

        Args:
            body: JSON with a ``kind`` and a list of ``events``.
            caller: who sends them; None if nobody is asked.
            budgets: counts the events of callers and accounts; None to count none.

        Raises:
            InputError: the body is not a valid request.
            OverBudget: the caller has sent too many events today; none of these is appended.
            OnlineUnavailable: Redis does not accept the events, or too many are pending. Sending again is safe: an
                event counts once.
        """
        request = self._decode(body)
        if budgets is not None and caller is not None:
            budgets.take_of_key(caller, len(request.events))
        source, now, forgotten = self._sources[request.kind], time.time_ns() // 1000, self._people()
        horizon_us = self._horizon(request.kind)
        limits = self._limits.get(request.kind)
        request_rule = RequestRule(source, limits, budgets) if limits is not None else None
        valid: dict[int, bytes] = {}
        refused: list[tuple[int, str]] = []
        for index, raw in enumerate(request.events):
            event = bytes(raw)
            try:
                values, at_us, _ = parse(source, event, now)
                if forgotten.digests and forgotten.have_caused(values):
                    raise Refused(FORGOTTEN)
                if at_us < horizon_us:
                    raise Refused(TOO_OLD)
                if request_rule is not None:
                    request_rule.check(index, at_us, values)
            except Refused as error:
                refused.append((index, str(error)))
            else:
                valid[index] = event
        if request_rule is not None:
            for index, reason in request_rule.over_budget():
                del valid[index]
                refused.append((index, reason))
        if valid:
            append(self._server, self._names, [(request.kind, event) for event in valid.values()])
        return WriteOutcome(len(valid), sorted(refused))

    def _decode(self, body: bytes) -> _Request:
        if len(body) > LARGEST_BODY:
            raise _invalid_request(f"{len(body):,} bytes", f"{LARGEST_BODY:,} bytes at most")
        try:
            request = msgspec.json.decode(body, type=_Request)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise _invalid_request(str(error).split("\n")[0]) from error
        if len(request.events) > MOST_EVENTS:
            raise _invalid_request(f"{len(request.events):,} events", f"{MOST_EVENTS:,} events at most")
        if request.kind not in self._sources:
            raise _invalid_request(
                f"the kind {request.kind[:40]!r}", f"a kind of events, one of {sorted(self._sources)}"
            )
        return request

    def _people(self) -> Forgotten:
        """The forgotten people, read again when their file has changed."""
        try:
            changed_ns = self._home.forgotten.stat().st_mtime_ns
        except FileNotFoundError:
            return Forgotten(b"")
        if changed_ns != self._forgotten_at_ns:
            self._forgotten, self._forgotten_at_ns = Forgotten.of(self._home), changed_ns
        return self._forgotten

    def _horizon(self, kind: str) -> int:
        """The oldest moment of a kind that is kept, microseconds since 1970; read again when the file has changed."""
        try:
            changed_ns = Horizons.file(self._home).stat().st_mtime_ns
        except FileNotFoundError:
            return 0
        if changed_ns != self._horizons_at_ns:
            moments = Horizons.of(self._home).moments
            self._horizons = {name: microseconds(moment) for name, moment in moments.items()}
            self._horizons_at_ns = changed_ns
        return self._horizons.get(kind, 0)


def _invalid_request(found: str, expected: str = "") -> InputError:
    return InputError(
        expected=expected or 'a JSON object such as {"kind": "plays", "events": [{"user_id": "u1", …}]}',
        found=found,
        next_command="see /docs",
    )
