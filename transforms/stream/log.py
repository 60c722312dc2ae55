"""What the reader of the stream keeps in Redis: who it is, what it has accepted, and how far it has come.

All that one batch changes is one transaction: the accepted events are logged, the refused ones put aside, the read ones
acknowledged, or none of it. A reader that was fenced off by another, or whose Redis has forgotten something, is told.
"""

import io
import os
import socket
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import polars as pl
import pyarrow as pa

from feature_repo.errors import StoreError
from feature_repo.events import Names
from feature_repo.packed.server import REDIS_ERRORS, Command, Server, begun, persistent, raised
from transforms.stream.accept import Dead

LEASE_SECONDS = 15
"""A reader that is silent for so long has lost its place to the next one."""

DEAD_LETTERS = 100_000
"""Refused events that are kept."""

SHOWN = 4_096
"""Bytes of a refused event that are kept."""

BLOCKS_AT_ONCE = 200

_COMMIT = """
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then return 'fenced' end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
if tonumber(ARGV[4]) > 0 then redis.call('HSET', KEYS[2], 'clock', ARGV[4]) end
local this, done = tonumber(ARGV[3]), tonumber(redis.call('HGET', KEYS[2], 'batches') or '0')
if done == this then return 'done' end
if done ~= this - 1 then return 'lost' end
local at = 5
while at <= #ARGV do
  local words = {}
  for place = 1, tonumber(ARGV[at]) do words[place] = ARGV[at + place] end
  redis.call(unpack(words))
  at = at + #words + 1
end
redis.call('HSET', KEYS[2], 'batches', this)
return 'done'
"""

_RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"


class Lost(Exception):
    """Redis does not know of the last batches: what is in memory is ahead of it."""


class Log:
    """The reader's side of one project's stream.

    Args:
        server: that holds it.
        names: of its parts.
        patience: seconds for which a write is tried again while the server is away.

    Attributes:
        clock: moment for which rows were pushed last; kept with each commit.
    """

    def __init__(self, server: Server, names: Names, patience: float = 60.0) -> None:
        self.names = names
        self._server, self._patience = server, patience
        self._host = socket.gethostname()
        self._me = f"{self._host}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self._batches = 0
        self._held_at = 0.0
        self.clock = 0

    def take(self, say: Callable[[str], None], patience: float = 2 * LEASE_SECONDS) -> None:
        """Become the reader.

        Raises:
            StoreError: another one is, and stays.
            OnlineUnavailable: Redis does not answer.
        """
        deadline, told = time.monotonic() + patience, False
        while not self.ask("SET", self.names.lease, self._me, "NX", "PX", LEASE_SECONDS * 1000):
            other = self.ask("GET", self.names.lease)
            if other is None:
                continue
            if other.decode() == self._me:
                break
            if self._is_dead(other.decode()):
                self._release(other.decode())
                continue
            if time.monotonic() > deadline:
                raise StoreError(
                    expected="no other reader of this stream",
                    found=f"{other.decode()} (host:process)",
                    next_command="stop it, then: python -m transforms stream",
                )
            if not told:
                say(f"waiting for {other.decode()} (host:process) to let go of the stream")
            told = True
            time.sleep(0.2)
        batches, clock = self.ask("HMGET", self.names.reader, "batches", "clock")
        self._batches, self.clock = int(batches or 0), int(clock or 0)
        self._held_at = time.monotonic()

    def leave(self) -> None:
        """Let another one read."""
        self._release(self._me)

    def keep(self) -> None:
        """Say that we are still here, where nothing was read for a while.

        Raises:
            StoreError: another one has taken over.
        """
        if time.monotonic() - self._held_at > LEASE_SECONDS / 3:
            self._transact(self._batches, [])()

    def commit(
        self,
        accepted: Mapping[str, pa.Table],
        dead: Sequence[Dead],
        counts: Mapping[str, int],
        taken: Sequence[Command],
    ) -> Callable[[], None]:
        """End a batch, as one transaction: it is sent. The same again after a failure is safe.

        Args:
            accepted: kind → rows for the batch run.
            dead: refused events.
            counts: name → how many more.
            taken: commands by which the source knows that they were read.

        Returns:
            What waits until it is done, to be called before the next one is sent. It raises:

            - Lost: load the state again;
            - StoreError: another reader has taken over;
            - OnlineUnavailable: Redis does not take it.
        """
        commands: list[Command] = [("RPUSH", self.names.log(kind), _block(rows)) for kind, rows in accepted.items()]
        for one in dead:
            told = ("reason", one.reason, "kind", one.told.kind, "event", one.told.payload[:SHOWN])
            commands.append(("XADD", self.names.dead, "MAXLEN", "~", DEAD_LETTERS, "*", *told))
            commands.append(("HINCRBY", self.names.counts, f"refused: {_sort(one.reason)}", 1))
        commands += [("HINCRBY", self.names.counts, name, by) for name, by in counts.items() if by]
        return self._transact(self._batches + 1, [*commands, *taken])

    def _transact(self, number: int, commands: Sequence[Command]) -> Callable[[], None]:
        words = [word for command in commands for word in (len(command), *command)]
        keys = (self.names.lease, self.names.reader)
        told = (self._me, LEASE_SECONDS * 1000, number, self.clock, *words)
        command = ("EVAL", _COMMIT, len(keys), *keys, *told)
        answers = begun(self._server, [command], [self.names.stream], lambda: [self.ask(*command)])
        return lambda: self._transacted(number, answers()[0])

    def _transacted(self, number: int, answer: bytes) -> None:
        if answer == b"fenced":
            raise StoreError(
                expected="to be the only reader of this stream",
                found="another one that has taken over, for we were silent too long",
                next_command="python -m transforms stream",
            )
        if answer == b"lost":
            raise Lost
        self._batches = number
        self._held_at = time.monotonic()

    # What the batch run takes

    def take_over(self, kind: str, store: Callable[[list[pl.DataFrame]], None]) -> int:
        """Hand the logged events of a kind to the batch run and forget them.

        Args:
            kind: of events.
            store: called with some of them, oldest first; what it stores twice must count once.

        Returns:
            How many events there were.
        """
        name, events = self.names.log(kind), 0
        while blocks := self.ask("LRANGE", name, 0, BLOCKS_AT_ONCE - 1):
            rows = [pl.read_ipc(io.BytesIO(block)) for block in blocks]
            store(rows)
            self.ask("LTRIM", name, len(blocks), -1)
            events += sum(frame.height for frame in rows)
        return events

    # Plumbing

    def ask(self, *command: Any) -> Any:
        """One command; again while the server is away.

        Raises:
            OnlineUnavailable: it stays away.
        """
        return persistent(self._server, partial(self._send, command), tries=2, patience=self._patience)

    def begin_once(self, *command: Any) -> Callable[[], Any]:
        """One command that must not be asked twice: it is sent.

        Returns:
            What waits for the answer. It raises OnlineUnavailable where the server is away, or was in the middle.
        """
        try:
            finish = self._server.begin([command], [self.names.stream])
        except REDIS_ERRORS as error:
            finish = partial(raised, [error])
        return lambda: persistent(self._server, lambda: raised(finish())[0], tries=1)

    def _send(self, command: Command) -> Any:
        return raised(self._server.send([command], [self.names.stream]))[0]

    def _release(self, owner: str) -> None:
        self.ask("EVAL", _RELEASE, 1, self.names.lease, owner)

    def _is_dead(self, owner: str) -> bool:
        """Whether a reader on this machine is no more; of others only their silence tells."""
        host, process, _ = owner.rsplit(":", 2)
        if host != self._host:
            return False
        try:
            os.kill(int(process), 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return False


_BLOCK = pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False)  # to hand out a few kilobytes takes longer


def _block(rows: pa.Table) -> bytes:
    out = pa.BufferOutputStream()
    with pa.ipc.new_file(out, rows.schema, options=_BLOCK) as file:
        file.write(rows)
    return out.getvalue().to_pybytes()


def _sort(reason: str) -> str:
    """A reason without the particulars of the event."""
    return reason.split(" '", maxsplit=1)[0][:80]
