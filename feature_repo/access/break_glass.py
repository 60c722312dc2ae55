"""Break-glass: a role for some minutes, for a reason, that is written down, ends by itself and is reviewed.

A role says how long it may be held so (``break_glass`` in minutes) and which roles may do it (``may_break_glass``).
Each grant is a file in the data folder. It lasts by two clocks, and by whichever says that it is over: the time of day,
and the time since the machine started, so that setting the clock back prolongs nothing. After a restart of the machine,
or on another one, it is over.
"""

import re
import secrets
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from feature_repo.access.settings import AccessSettings
from feature_repo.errors import AccessError, InputError
from feature_repo.home import Home
from feature_repo.whole_files import write_whole

FEWEST_LETTERS, FEWEST_WORDS = 20, 4
"""Letters, and distinct words of two letters or more, of a reason of substance."""
LONGEST_REASON = 500
VERDICTS = ("justified", "not justified")


@dataclass(frozen=True)
class Grant:
    """One break-glass.

    Attributes:
        id: its id.
        caller: who broke glass: id of a key, subject of a token, or ``os:USER``.
        role: the role that they hold.
        reason: why.
        started: when, in seconds since 1970 UTC.
        minutes: how long at most.
        boot: start of the machine on which it was granted.
        uptime: seconds that the machine had run.
        ended: when it was ended before its time, in seconds since 1970 UTC; None if it was not.
        reviewer: who reviewed it; empty for nobody yet.
        verdict: one of ``VERDICTS``; empty before the review.
        note: what the reviewer says.
    """

    id: str
    caller: str
    role: str
    reason: str
    started: float
    minutes: int
    boot: str
    uptime: float
    ended: float | None = None
    reviewer: str = ""
    verdict: str = ""
    note: str = ""


def _boot() -> str:
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return "unknown"


@dataclass(frozen=True)
class Clocks:
    """The clocks by which grants last; tests have their own."""

    now: Callable[[], float] = time.time
    uptime: Callable[[], float] = lambda: time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
    boot: Callable[[], str] = _boot


class BreakGlass:
    """The grants of one data folder. Safe to share between threads, and its files between processes.

    Args:
        home: the data folder.
        clocks: the clocks.

    >>> BreakGlass(Home.from_env()).active("os:ann")                               # doctest: +SKIP
    {'analyst': '3f9a1c20'}
    """

    def __init__(self, home: Home, clocks: Clocks = Clocks()) -> None:
        self._folder, self._clocks = home.break_glass, clocks

    def start(
        self, settings: AccessSettings, caller: str, roles: Collection[str], role: str, reason: str, minutes: int
    ) -> Grant:
        """Begins a grant.

        Args:
            settings: the section ``[access]``.
            caller: who breaks glass.
            roles: roles that they have otherwise.
            role: the role that they need.
            reason: why.
            minutes: for how long.

        Raises:
            AccessError: nobody may break glass into the role, or not they, or not for so long.
            InputError: the reason says nothing.
        """
        wanted = settings.roles.get(role)
        if wanted is None or not wanted.break_glass or not set(roles) & set(wanted.may_break_glass):
            raise AccessError(
                expected="a role that break-glass is declared for, and a caller who may: may_break_glass in [access]",
                found=f"{role[:64]!r} for {caller}",
                next_command="see docs/access.md",
            )
        if not 1 <= minutes <= wanted.break_glass:
            raise AccessError(
                expected=f"1 to {wanted.break_glass} minutes as {role}", found=f"{minutes}", next_command="--minutes 15"
            )
        check_reason(reason)
        clocks = self._clocks
        grant = Grant(
            secrets.token_hex(4), caller, role, reason.strip(), clocks.now(), minutes, clocks.boot(), clocks.uptime()
        )
        self._write(grant)
        return grant

    def active(self, caller: str) -> dict[str, str]:
        """Returns the roles that a caller holds by break-glass → id of the newest grant."""
        return {grant.role: grant.id for grant in self.all() if grant.caller == caller and self.is_active(grant)}

    def is_active(self, grant: Grant) -> bool:
        """Whether a grant lasts, by every clock."""
        seconds, clocks = grant.minutes * 60, self._clocks
        return (
            grant.ended is None
            and clocks.boot() == grant.boot
            and 0 <= clocks.uptime() - grant.uptime < seconds
            and clocks.now() - grant.started < seconds
        )

    def end(self, id_: str) -> Grant:
        """Ends a grant before its time; one that is over stays as it is.

        Raises:
            InputError: there is no such grant.
        """
        grant = self.get(id_)
        if self.is_active(grant):
            grant = replace(grant, ended=self._clocks.now())
            self._write(grant)
        return grant

    def review(self, id_: str, reviewer: str, verdict: str, note: str) -> Grant:
        """Stores the review of a grant that is over.

        Raises:
            AccessError: the reviewer is who broke glass.
            InputError: there is no such grant, it lasts yet, was reviewed, or the verdict or the note says nothing.
        """
        grant = self.get(id_)
        if reviewer == grant.caller:
            raise AccessError(
                expected="a reviewer who is not who broke glass", found=reviewer, next_command="ask another"
            )
        if self.is_active(grant) or grant.reviewer:
            found = f"reviewed by {grant.reviewer}" if grant.reviewer else "one that lasts yet"
            raise InputError(expected="a grant to review", found=found, next_command="refrain access reviews")
        if verdict not in VERDICTS or not note.strip():
            raise InputError(
                expected=f"a verdict, one of {', '.join(VERDICTS)}, and a note",
                found=f"{verdict!r}, {note!r}",
                next_command=f'refrain access review {id_} --verdict justified --note "…"',
            )
        grant = replace(grant, reviewer=reviewer, verdict=verdict, note=note.strip()[:LONGEST_REASON])
        self._write(grant)
        return grant

    def get(self, id_: str) -> Grant:
        """Returns one grant.

        Raises:
            InputError: there is none with this id.
        """
        grant = next((grant for grant in self.all() if grant.id == id_), None)
        if grant is None:
            raise InputError(expected="the id of a break-glass", found=repr(id_), next_command="refrain access reviews")
        return grant

    def all(self) -> list[Grant]:
        """Returns all grants ever, oldest first.

        Raises:
            InputError: a file is damaged: what it granted is not known, and nothing is granted.
        """
        grants = []
        for file in self._folder.glob("[0-9a-f]*.json"):
            try:
                grants.append(msgspec.json.decode(file.read_bytes(), type=Grant))
            except msgspec.MsgspecError as error:
                raise InputError(
                    expected=f"a break-glass in {file}",
                    found=str(error),
                    next_command="restore it from a backup, or from the audit log: refrain audit show",
                ) from error
        return sorted(grants, key=lambda grant: grant.started)

    def newly_over(self) -> list[Grant]:
        """Returns grants that are over and were not returned here before, by any process, to write down their end."""
        over = []
        for grant in self.all():
            if not self.is_active(grant):
                with suppress(FileExistsError):
                    (self._folder / f"{grant.id}.over").touch(exist_ok=False, mode=0o600)
                    over.append(grant)
        return over

    def _write(self, grant: Grant) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_whole(self._folder / f"{grant.id}.json", msgspec.json.encode(grant), is_secret=True)


def check_reason(reason: str) -> None:
    """Checks that a reason has substance.

    Raises:
        InputError: it is too short, too long, or repeats itself.

    >>> check_reason("ticket 4711: wrong charts in the app of one listener")
    """
    words = {word.lower() for word in re.findall(r"[^\W\d_]{2,}", reason)}
    letters = sum(len(word) for word in words)
    if len(words) < FEWEST_WORDS or letters < FEWEST_LETTERS or len(reason) > LONGEST_REASON:
        raise InputError(
            expected=f"a reason: {FEWEST_WORDS} different words, {FEWEST_LETTERS} letters, {LONGEST_REASON} at most",
            found=repr(reason[:80]),
            next_command='--reason "ticket 4711: wrong charts in the app of one listener"',
        )


def at(seconds: float) -> str:
    """Formats a moment for lists and acts.

    >>> at(0)
    '1970-01-01T00:00:00+00:00'
    """
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
