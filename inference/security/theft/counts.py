"""Counts of questions in Redis, shared by all serving processes: one script, one round trip.

Distinct questions are counted exactly, by a set of hashes, for budgets of up to ``EXACT``; by a HyperLogLog (Flajolet
et al. 2007) for larger ones: 12 KB whatever is asked, with a standard error of 0.81 %. Questions are hashed with a salt
that only Redis and the serving processes have, so that nobody can choose questions that collide. A refused question is
not counted. Every count expires.
"""

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

from feature_repo.home import Home
from feature_repo.manifest import load_address
from feature_repo.packed.server import Server, open_server, raise_errors, retry

REDIS_TIMEOUT = 0.5
"""Timeout of Redis in seconds."""

DAY, MONTH = 86_400, 30 * 86_400
EXACT = 10_000
"""Maximum budget that is counted exactly; a set of so many hashes takes some 500 KB."""
WINDOW = 500
"""Questions after which the statistics of an owner begin anew."""
MAX_SENT = 2_000
"""Maximum number of questions that one request counts one by one."""
_SCRIPT = b"""
local clock = tonumber(redis.call('TIME')[1])
local budgets, at = tonumber(ARGV[1]), 2
local flag, state, window = KEYS[1], KEYS[2], KEYS[3]
local refuses, length, marks, added = ARGV[at], tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
at = at + 4
if refuses == '1' and redis.call('EXISTS', flag) == 1 then
  return {'flag', redis.call('TTL', flag), 0, 0, {}}
end
local questions = {unpack(ARGV, at + 3 * budgets + 2 * marks)}
local names = {}
for i = 1, budgets do
  local most, seconds, exact = tonumber(ARGV[at]), tonumber(ARGV[at + 1]), ARGV[at + 2] == '1'
  at = at + 3
  local name = KEYS[3 + i] .. ':' .. math.floor(clock / seconds)
  names[i] = {name, seconds, exact}
  if #questions > 0 then
    local before = redis.call(exact and 'SCARD' or 'PFCOUNT', name)
    local after = before
    if exact and before + #questions > most then
      for _, known in ipairs(redis.call('SMISMEMBER', name, unpack(questions))) do after = after + 1 - known end
    elseif not exact and before + #questions > 0.9 * most then
      local trial = KEYS[3 + i] .. ':trial'
      redis.call('PFMERGE', trial, name)
      redis.call('PFADD', trial, unpack(questions))
      after = redis.call('PFCOUNT', trial)
      redis.call('DEL', trial)
    end
    if after > most and after > before then
      return {'budget', seconds - clock % seconds, i, before, {}}
    end
  end
end
for i = 1, budgets do
  local name, seconds, exact = unpack(names[i])
  if #questions > 0 then redis.call(exact and 'SADD' or 'PFADD', name, unpack(questions)) end
  redis.call('EXPIRE', name, 2 * seconds)
end
local asked = redis.call('HINCRBY', state, 'asked', added)
for i = 1, marks do
  redis.call('HINCRBY', state, ARGV[at], ARGV[at + 1])
  at = at + 2
end
if #questions > 0 then redis.call('PFADD', window, unpack(questions)) end
local distinct = redis.call('PFCOUNT', window)
local counts = redis.call('HGETALL', state)
if asked >= length then redis.call('DEL', state, window)
else
  redis.call('EXPIRE', state, 604800)
  redis.call('EXPIRE', window, 604800)
end
return {'', 0, asked, distinct, counts}
"""


@dataclass(frozen=True)
class Budget:
    """A budget of distinct questions.

    Attributes:
        whose: whose questions count together: ``key`` with an id, ``owner`` with a name, or ``tenant``.
        name: id or name; empty for the tenant.
        most: maximum number of distinct questions in a period.
        seconds: length of the period; periods begin at multiples of it since 1970 UTC.
    """

    whose: str
    name: str
    most: int
    seconds: int = DAY


@dataclass(frozen=True)
class Count:
    """What Redis counted.

    Attributes:
        refused: the budget that is used up; None if none is.
        held_back: whether the owner is held back after an alarm.
        wait_s: seconds until a refused question may be asked.
        total: questions of this owner in the present window.
        distinct: distinct ones of them, about.
        marks: mark → how many of them had it.
    """

    refused: Budget | None = None
    held_back: bool = False
    wait_s: float = 0.0
    total: int = 0
    distinct: int = 0
    marks: Mapping[str, int] | None = None


class QuestionCounts:
    """Counts questions. Safe to share between threads and processes.

    Args:
        server: Redis.
        project: name of the project with its tenant, which is part of every key.
    """

    def __init__(self, server: Server, project: str) -> None:
        self._server = server
        self._tag = f"{{{project}:theft}}"
        self._salt = b""

    @classmethod
    def open(cls, home: Home) -> "QuestionCounts":
        """Open the counts of a data folder, whose manifest has the address of Redis.

        Raises:
            StoreError: the manifest is missing or damaged.
        """
        return cls(open_server(home, load_address(home), REDIS_TIMEOUT), home.project)

    def add(
        self,
        owner: str,
        model: str,
        questions: Sequence[str],
        budgets: Sequence[Budget],
        marks: Mapping[str, int],
        *,
        refuses_flagged: bool = False,
    ) -> Count:
        """Count the questions of one request, or none of them if a budget does not allow it.

        Args:
            owner: owner of the key.
            model: the model, or the feature service.
            questions: the questions; equal ones count once in budgets.
            budgets: the budgets that apply.
            marks: mark → how many of the questions have it.
            refuses_flagged: whether nothing is counted for an owner about whom there was an alarm.

        Raises:
            OnlineUnavailable: Redis does not answer.
        """
        hashes = self.hashes(questions)
        # a question more than ``MAX_SENT`` is sent in a later call of the script, whose arguments are bounded
        count = Count()
        for start in range(0, max(len(hashes), 1), MAX_SENT):
            part = hashes[start : start + MAX_SENT]
            count = self._add(owner, model, part, budgets, marks if start == 0 else {}, refuses_flagged)
            if count.refused or count.held_back:
                break
        return count

    def flag(self, owner: str, model: str, reason: str, seconds: int = DAY) -> bool:
        """Flag an owner for some time; returns whether no process had done it before.

        Raises:
            OnlineUnavailable: Redis does not answer.
        """
        key = self._key("flag", model, owner)
        return self._send("SET", key, reason.encode(), "NX", "EX", seconds) is not None

    def release(self, owner: str) -> int:
        """Remove all flags and statistics of an owner; returns how many there were.

        Raises:
            OnlineUnavailable: Redis does not answer.
        """
        names = [
            name for kind in ("flag", "state", "window") for name in self._names(kind) if self._owner(name) == owner
        ]
        return sum(self._send("DEL", name) for name in names)

    def flags(self) -> dict[tuple[str, str], str]:
        """Read all flags: (owner, model) → reason.

        Raises:
            OnlineUnavailable: Redis does not answer.
        """
        values = {name: self._send("GET", name) for name in self._names("flag")}
        return {
            (self._owner(name), name.decode().split(":")[-2]): value.decode() for name, value in values.items() if value
        }

    def hashes(self, questions: Sequence[str]) -> list[bytes]:
        """Hash questions with the salt, 8 bytes each; equal questions have equal hashes."""
        if not self._salt:
            key = self._key("salt", "", "")
            self._send("SET", key, secrets.token_hex(16).encode(), "NX")
            self._salt = self._send("GET", key)
        return [
            hashlib.blake2b(question.encode("utf-8", "surrogatepass"), digest_size=8, key=self._salt).digest()
            for question in questions
        ]

    def _add(
        self,
        owner: str,
        model: str,
        hashes: Sequence[bytes],
        budgets: Sequence[Budget],
        marks: Mapping[str, int],
        refuses_flagged: bool,
    ) -> Count:
        keys = [self._key(kind, model, owner) for kind in ("flag", "state", "window")]
        keys += [self._key(_kind(budget), model, budget.name) for budget in budgets]
        limits = [part for budget in budgets for part in (budget.most, budget.seconds, int(budget.most <= EXACT))]
        marked = [part for mark, count in marks.items() for part in (mark, count)]
        head = (len(budgets), int(refuses_flagged), WINDOW, len(marks), len(hashes))
        verdict, wait, number, distinct, counts = self._send(
            "EVAL", _SCRIPT, len(keys), *keys, *head, *limits, *marked, *dict.fromkeys(hashes), key=keys[0]
        )
        if verdict == b"flag":
            return Count(held_back=True, wait_s=float(max(wait, 1)))
        if verdict == b"budget":
            return Count(refused=budgets[number - 1], wait_s=float(wait))
        pairs = dict(zip(counts[::2], counts[1::2], strict=True))
        return Count(
            total=number, distinct=distinct, marks={name.decode(): int(value) for name, value in pairs.items()}
        )

    def _send(self, *command: object, key: bytes | None = None) -> Any:
        place = key or command[1]
        assert isinstance(place, bytes)
        answers = retry(self._server, lambda: raise_errors(self._server.send([command], [place])), tries=1)
        return answers[0]

    def _key(self, kind: str, model: str, name: str) -> bytes:
        return f"{self._tag}:{kind}:{quote(model, safe='')}:{quote(name, safe='')}".encode()

    def _names(self, kind: str) -> list[bytes]:
        pattern = f"{self._tag}:{kind}:*".replace("[", "\\[").encode()
        return [name for batch in self._server.scan(pattern) for name in batch]

    @staticmethod
    def _owner(name: bytes) -> str:
        return unquote(name.decode().rsplit(":", 1)[1])


def _kind(budget: Budget) -> str:
    """Name the structure of a budget: a set and a HyperLogLog never have the same name."""
    return f"{budget.whose}-{budget.seconds}-{'set' if budget.most <= EXACT else 'sketch'}"
