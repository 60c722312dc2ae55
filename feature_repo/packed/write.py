"""Writes packed values: the newest event time wins, then the newest created time, for any number and order of writers.

A Lua script in Redis compares and writes atomically. A value with equal times replaces the old one: a repeated write
changes nothing, and a corrected schema takes effect. A stored row of the future, written while a clock was wrong,
always loses. A wrong row is replaced by the correct one, unless another writer changed it since it was read.
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
from feature_repo.packed.server import Command, Server, begin, raise_errors, retry

KEYS_A_SCRIPT = 250
"""Maximum keys per script call, which blocks Redis for about half a millisecond."""

ROWS_A_TRIP = 10_000
"""Maximum rows per round trip."""

FAST_CLOCKS = 300_000_000
"""Tolerance for clocks of other writers that are ahead, in microseconds."""

_EVENT = struct.Struct("<q")
"""Event time of a packed value."""

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
        server: connection to the Redis that holds the values.
        project: name of the Feast project.
        schema: schema of the rows.
        ttl: age at which Redis drops rows; None keeps them.
        patience: seconds for which a write is retried while the server is unavailable.
    """

    def __init__(
        self, server: Server, project: str, schema: Schema, *, ttl: timedelta | None = None, patience: float = 30.0
    ) -> None:
        self._server, self._schema, self._patience = server, schema, patience
        self._schemas = entity_key.schemas(project, schema.view)
        self._status = entity_key.status(project, schema.view)
        self._ttl = round(ttl.total_seconds() * 1000) if ttl else 0
        self._announcement: Command = ("HSETNX", self._schemas, f"{schema.fingerprint:08x}", schema.text)
        """Command that stores the schema. It is sent before the first value, so that readers can always look it up, and
        again with each batch, in case the server was emptied.
        """
        self._is_announced = False

    def write(self, keys: Sequence[bytes], values: Sequence[bytes]) -> int:
        """Writes rows and waits for the server's confirmation.

        Args:
            keys: full names, see ``entity_key``.
            values: packed values, in the same order.

        Returns:
            Number of rows that were not older than the stored ones.

        Raises:
            OnlineUnavailable: the server does not accept the rows. Some may be written; a retry is safe.
        """
        written = 0
        for start in range(0, len(keys), ROWS_A_TRIP):
            trip_keys, trip_values = keys[start : start + ROWS_A_TRIP], values[start : start + ROWS_A_TRIP]
            trip = partial(self._write_trip, trip_keys, trip_values)
            written += retry(self._server, trip, tries=1, patience=self._patience)
        return written

    def replace(self, keys: Sequence[bytes], old_values: Sequence[bytes], values: Sequence[bytes | None]) -> int:
        """Replaces rows, older or newer, if the stored values are unchanged (compare and set).

        Args:
            keys: full names, see ``entity_key``.
            old_values: packed values that were read before.
            values: new packed values, in the same order; None to delete.

        Returns:
            Number of replaced or deleted rows.

        Raises:
            OnlineUnavailable: the server does not accept the rows. Some may be written; a retry is safe.
        """
        replaced = 0
        for start in range(0, len(keys), ROWS_A_TRIP):
            part = slice(start, start + ROWS_A_TRIP)
            trip = partial(self._replace_trip, keys[part], old_values[part], values[part])
            replaced += retry(self._server, trip, tries=1, patience=self._patience)
        return replaced

    def _replace_trip(self, keys: Sequence[bytes], old_values: Sequence[bytes], values: Sequence[bytes | None]) -> int:
        self._send([self._announcement], [self._schemas])
        groups = self._server.groups(keys, most=KEYS_A_SCRIPT)
        commands: list[Command] = []
        for group in groups:
            old_and_new = [value for place in group for value in (old_values[place], values[place] or b"")]
            commands.append(
                ("EVALSHA", _REPLACE_SHA, len(group), *map(keys.__getitem__, group), self._ttl, *old_and_new)
            )
        return sum(self._send(commands, [keys[group[0]] for group in groups]))

    def begin(self, keys: Sequence[bytes], values: Sequence[bytes]) -> Callable[[], int]:
        """Starts a ``write``, without waiting if possible; the returned function waits and returns the row count."""
        if not self._is_announced or len(keys) > ROWS_A_TRIP:
            written = self.write(keys, values)
            return lambda: written
        answers = begin(self._server, *self._commands(keys, values), lambda: [0, self.write(keys, values), 0])
        return lambda: sum(answers()[1:-1])

    def _write_trip(self, keys: Sequence[bytes], values: Sequence[bytes]) -> int:
        if not self._is_announced:
            self._send([self._announcement], [self._schemas])
            self._is_announced = True
        return sum(self._send(*self._commands(keys, values))[1:-1])

    def _commands(self, keys: Sequence[bytes], values: Sequence[bytes]) -> tuple[list[Command], list[bytes]]:
        """Returns the commands (schema, then rows, then status) and a key of each command."""
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
        command_keys = [self._schemas, *(keys[group[0]] for group in groups), self._status]
        return [self._announcement, *commands, status], command_keys

    def _send(self, commands: list[Command], keys: list[bytes]) -> list[int]:
        for attempt in (1, 2):
            try:
                return raise_errors(self._server.send(commands, keys))
            except redis.exceptions.NoScriptError:
                if attempt == 2:
                    raise
                for script in (_NEWEST_WINS, _IF_UNCHANGED, _STATUS):
                    self._server.everywhere("SCRIPT LOAD", script)
        raise AssertionError("unreachable")


_SHA = hashlib.sha1(_NEWEST_WINS.encode()).hexdigest()
_REPLACE_SHA = hashlib.sha1(_IF_UNCHANGED.encode()).hexdigest()
_STATUS_SHA = hashlib.sha1(_STATUS.encode()).hexdigest()
