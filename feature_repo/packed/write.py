"""Writing packed values: the newest event wins, among equals the newest created, whoever writes and in whatever order.

The comparison and the write are one script inside Redis, so that no other writer comes between them. A value that is
neither newer nor older replaces the old one: writing the same again changes nothing, and a mended schema gets through.
A row of the future, written while a clock was wrong, wins against nothing. What should never have been there is
replaced by whatever is right, unless somebody has written since it was read.
"""

import hashlib
import struct
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from itertools import repeat

import redis

from feature_repo import clock
from feature_repo.packed import entity_key
from feature_repo.packed.schema import UNKNOWN_TIME, Schema
from feature_repo.packed.server import Command, Server, begun, persistent, raised

KEYS_A_SCRIPT = 250
"""Keys of one script call: Redis does nothing else meanwhile, for about half a millisecond."""

ROWS_A_TRIP = 10_000
"""Rows that are under way at once."""

FAST_CLOCKS = 300_000_000
"""Microseconds that another writer's clock may be ahead of ours."""

_EVENT = struct.Struct("<q")
"""A value's event time."""

_NEWEST_WINS = """
local call, unpack = redis.call, struct.unpack
local ttl, latest = tonumber(ARGV[1]), tonumber(ARGV[2])
local written = 0
for i = 1, #KEYS do
  local key, new = KEYS[i], ARGV[i + 2]
  local old = call('GETRANGE', key, 8, 23)
  local older = false
  if #old == 16 then
    local el, eh, cl, ch = unpack('<I4i4I4i4', new, 9)
    local oel, oeh, ocl, och = unpack('<I4i4I4i4', old)
    if eh ~= oeh then older = eh < oeh
    elseif el ~= oel then older = el < oel
    elseif ch ~= och then older = ch < och
    else older = cl < ocl end
    if older and oeh * 4294967296 + oel > latest then older = false end
  end
  if not older then
    if ttl > 0 then
      local el, eh = unpack('<I4i4', new, 9)
      call('SET', key, new, 'PXAT', string.format('%.0f', math.max((eh * 4294967296 + el) / 1000 + ttl, 1)))
    else
      call('SET', key, new)
    end
    written = written + 1
  end
end
return written
"""

_IF_UNCHANGED = """
local call, unpack = redis.call, struct.unpack
local ttl = tonumber(ARGV[1])
local written = 0
for i = 1, #KEYS do
  local key, seen, new = KEYS[i], ARGV[2 * i], ARGV[2 * i + 1]
  if call('GET', key) == seen then
    if new == '' then
      call('DEL', key)
    elseif ttl > 0 then
      local el, eh = unpack('<I4i4', new, 9)
      call('SET', key, new, 'PXAT', string.format('%.0f', math.max((eh * 4294967296 + el) / 1000 + ttl, 1)))
    else
      call('SET', key, new)
    end
    written = written + 1
  end
end
return written
"""

_STATUS = """
local newest = redis.call('HGET', KEYS[1], 'newest_event')
if not newest or tonumber(newest) < tonumber(ARGV[1]) then redis.call('HSET', KEYS[1], 'newest_event', ARGV[1]) end
redis.call('HSET', KEYS[1], 'written_at', ARGV[2])
redis.call('HINCRBY', KEYS[1], 'rows_written', ARGV[3])
return 1
"""


class Writer:
    """Writes rows of one view.

    Args:
        server: that holds the values.
        project: Feast's.
        schema: of the rows.
        ttl: rows leave Redis when they are older than this; None keeps them.
        patience: seconds for which a write is tried again while the server is away.
    """

    def __init__(
        self, server: Server, project: str, schema: Schema, *, ttl: timedelta | None = None, patience: float = 30.0
    ) -> None:
        self._server, self._schema, self._patience = server, schema, patience
        self._schemas = entity_key.schemas(project, schema.view)
        self._status = entity_key.status(project, schema.view)
        self._ttl = round(ttl.total_seconds() * 1000) if ttl else 0
        self._announcement: Command = ("HSETNX", self._schemas, f"{schema.fingerprint:08x}", schema.text)
        """The schema goes before the first value of it, so that no reader meets what it cannot look up; and again with
        each batch, should somebody have emptied the server.
        """
        self._is_announced = False

    def write(self, keys: Sequence[bytes], values: Sequence[bytes]) -> int:
        """Write rows; what was written is what the server has confirmed.

        Args:
            keys: full names, see ``entity_key``.
            values: packed, in the same order.

        Returns:
            How many were not older than what was there.

        Raises:
            OnlineUnavailable: the server does not take them. Some may be written; the same again is safe.
        """
        written = 0
        for start in range(0, len(keys), ROWS_A_TRIP):
            some, theirs = keys[start : start + ROWS_A_TRIP], values[start : start + ROWS_A_TRIP]
            trip = partial(self._trip, some, theirs)
            written += persistent(self._server, trip, tries=1, patience=self._patience)
        return written

    def replace(self, keys: Sequence[bytes], seen: Sequence[bytes], values: Sequence[bytes | None]) -> int:
        """Put rows in the place of others, older or newer, where these are still there.

        Args:
            keys: full names, see ``entity_key``.
            seen: the packed values that were found there.
            values: those that should be there, in the same order; None for none.

        Returns:
            How many were replaced or removed.

        Raises:
            OnlineUnavailable: the server does not take them. Some may be written; the same again is safe.
        """
        replaced = 0
        for start in range(0, len(keys), ROWS_A_TRIP):
            part = slice(start, start + ROWS_A_TRIP)
            trip = partial(self._replacing, keys[part], seen[part], values[part])
            replaced += persistent(self._server, trip, tries=1, patience=self._patience)
        return replaced

    def _replacing(self, keys: Sequence[bytes], seen: Sequence[bytes], values: Sequence[bytes | None]) -> int:
        self._send([self._announcement], [self._schemas])
        groups = self._server.groups(keys, most=KEYS_A_SCRIPT)
        commands: list[Command] = []
        for group in groups:
            both = [one for place in group for one in (seen[place], values[place] or b"")]
            commands.append(("EVALSHA", _REPLACE_SHA, len(group), *map(keys.__getitem__, group), self._ttl, *both))
        return sum(self._send(commands, [keys[group[0]] for group in groups]))

    def begin(self, keys: Sequence[bytes], values: Sequence[bytes]) -> Callable[[], int]:
        """What ``write`` does, without waiting where there is no need to: what comes back waits, and tells how many."""
        if not self._is_announced or len(keys) > ROWS_A_TRIP:
            written = self.write(keys, values)
            return lambda: written
        answers = begun(self._server, *self._commands(keys, values), lambda: [0, self.write(keys, values), 0])
        return lambda: sum(answers()[1:-1])

    def _trip(self, keys: Sequence[bytes], values: Sequence[bytes]) -> int:
        if not self._is_announced:
            self._send([self._announcement], [self._schemas])
            self._is_announced = True
        return sum(self._send(*self._commands(keys, values))[1:-1])

    def _commands(self, keys: Sequence[bytes], values: Sequence[bytes]) -> tuple[list[Command], list[bytes]]:
        """For the rows between one for their schema and one for the view's status; and a key of each."""
        groups = self._server.groups(keys, most=KEYS_A_SCRIPT)
        latest = clock.microseconds(clock.now()) + FAST_CLOCKS
        commands: list[Command] = [
            (
                "EVALSHA",
                _SHA,
                len(group),
                *map(keys.__getitem__, group),
                self._ttl,
                latest,
                *map(values.__getitem__, group),
            )
            for group in groups
        ]
        (newest,) = max(map(_EVENT.unpack_from, values, repeat(8)), default=(UNKNOWN_TIME,))
        status = ("EVALSHA", _STATUS_SHA, 1, self._status, newest, round(time.time() * 1_000_000), len(keys))
        where = [self._schemas, *(keys[group[0]] for group in groups), self._status]
        return [self._announcement, *commands, status], where

    def _send(self, commands: list[Command], keys: list[bytes]) -> list[int]:
        for attempt in (1, 2):
            try:
                return raised(self._server.send(commands, keys))
            except redis.exceptions.NoScriptError:
                if attempt == 2:
                    raise
                for script in (_NEWEST_WINS, _IF_UNCHANGED, _STATUS):
                    self._server.everywhere("SCRIPT LOAD", script)
        raise AssertionError("unreachable")


_SHA = hashlib.sha1(_NEWEST_WINS.encode()).hexdigest()
_REPLACE_SHA = hashlib.sha1(_IF_UNCHANGED.encode()).hexdigest()
_STATUS_SHA = hashlib.sha1(_STATUS.encode()).hexdigest()
