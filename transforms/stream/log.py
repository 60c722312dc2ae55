"""The state of the stream's reader in Redis: its lease, the log of accepted events, and its clock.

A batch is one transaction: accepted events are logged, refused events are kept as dead letters, and read events are
acknowledged, all or nothing. A reader that another one has fenced off gets a ``StoreError``; a reader whose Redis has
lost batches gets ``Lost``.
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
from feature_repo.packed.server import REDIS_ERRORS, Command, Server, begin, raise_errors, retry
from transforms.stream.accept import Dead

LEASE_SECONDS = 15
"""A reader that is silent for this long loses its lease to the next reader."""

DEAD_LETTERS = 100_000
"""Refused events that are kept."""

SHOWN = 4_096
"""Bytes that are kept of a refused event."""

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
    """Redis has lost the last batches, so that the state in memory is ahead of it."""


class Log:
    """The reader's side of one project's stream.

    Args:
        server: the Redis that has the stream.
        names: names of the stream's Redis keys.
        patience: seconds for which a write is retried while the server is away.

    Attributes:
        clock: moment for which rows were pushed last, microseconds; stored with each commit.
    """

    def __init__(self, server: Server, names: Names, patience: float = 60.0) -> None:
        self.names = names
        self._server, self._patience = server, patience
        self._host = socket.gethostname()
        self._owner = f"{self._host}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self._batches = 0
        self._lease_renewed_at = 0.0
        self.clock = 0

    def acquire_lease(self, say: Callable[[str], None], patience: float = 2 * LEASE_SECONDS) -> None:
        """Takes the lease, which makes this process the reader.

        Args:
            say: function that shows messages to the user.
            patience: seconds to wait for another reader to end.

        Raises:
            StoreError: another reader keeps the lease.
            OnlineUnavailable: Redis does not answer.
        """
        deadline, is_announced = time.monotonic() + patience, False
        while not self.ask("SET", self.names.lease, self._owner, "NX", "PX", LEASE_SECONDS * 1000):
            owner = self.ask("GET", self.names.lease)
            if owner is None:
                continue
            if owner.decode() == self._owner:
                break
            if self._is_dead(owner.decode()):
                self._release(owner.decode())
                continue
            if time.monotonic() > deadline:
                raise StoreError(
                    expected="no other reader of this stream",
                    found=f"{owner.decode()} (host:process)",
                    next_command="stop it, then: refrain stream",
                )
            if not is_announced:
                say(f"waiting for {owner.decode()} (host:process) to let go of the stream")
            is_announced = True
            time.sleep(0.2)
        batches, clock = self.ask("HMGET", self.names.reader, "batches", "clock")
        self._batches, self.clock = int(batches or 0), int(clock or 0)
        self._lease_renewed_at = time.monotonic()

    def release_lease(self) -> None:
        """Releases the lease, so that another reader can take it."""
        self._release(self._owner)

    def renew_lease(self) -> None:
        """Renews the lease if no batch has done so for a while.

        Raises:
            StoreError: another reader has taken over.
        """
        if time.monotonic() - self._lease_renewed_at > LEASE_SECONDS / 3:
            self._transact(self._batches, [])()

    def commit(
        self,
        accepted: Mapping[str, pa.Table],
        dead: Sequence[Dead],
        counts: Mapping[str, int],
        acknowledgements: Sequence[Command],
    ) -> Callable[[], None]:
        """Sends the transaction that ends a batch. Repeating it after a failure is safe.

        Args:
            accepted: kind → rows for the batch run.
            dead: refused events.
            counts: outcome → number of events to add.
            acknowledgements: Redis commands that record that the events were read.

        Returns:
            A function that waits until the transaction is done; it must be called before the next commit. It raises:

            - Lost: the state must be loaded again;
            - StoreError: another reader has taken over;
            - OnlineUnavailable: Redis does not accept it.
        """
        commands: list[Command] = [("RPUSH", self.names.log(kind), _block(rows)) for kind, rows in accepted.items()]
        for refused in dead:
            fields = ("reason", refused.reason, "kind", refused.event.kind, "event", refused.event.payload[:SHOWN])
            commands.append(("XADD", self.names.dead, "MAXLEN", "~", DEAD_LETTERS, "*", *fields))
            commands.append(("HINCRBY", self.names.counts, f"refused: {_reason_kind(refused.reason)}", 1))
        commands += [("HINCRBY", self.names.counts, name, by) for name, by in counts.items() if by]
        return self._transact(self._batches + 1, [*commands, *acknowledgements])

    def _transact(self, number: int, commands: Sequence[Command]) -> Callable[[], None]:
        words = [word for command in commands for word in (len(command), *command)]
        keys = (self.names.lease, self.names.reader)
        arguments = (self._owner, LEASE_SECONDS * 1000, number, self.clock, *words)
        command = ("EVAL", _COMMIT, len(keys), *keys, *arguments)
        answers = begin(self._server, [command], [self.names.stream], lambda: [self.ask(*command)])
        return lambda: self._check_answer(number, answers()[0])

    def _check_answer(self, number: int, answer: bytes) -> None:
        if answer == b"fenced":
            raise StoreError(
                expected="to be the only reader of this stream",
                found="another reader, which has taken over because this one was silent for too long",
                next_command="refrain stream",
            )
        if answer == b"lost":
            raise Lost
        self._batches = number
        self._lease_renewed_at = time.monotonic()

    # For the batch run

    def drain(self, kind: str, store: Callable[[list[pl.DataFrame]], None]) -> int:
        """Stores the logged events of a kind, and removes them from the log.

        Args:
            kind: kind of the events.
            store: function that stores events, called block by block, oldest first; it may get events twice, and must
                count them once.

        Returns:
            Number of events.
        """
        name, events = self.names.log(kind), 0
        while blocks := self.ask("LRANGE", name, 0, BLOCKS_AT_ONCE - 1):
            rows = [pl.read_ipc(io.BytesIO(block)) for block in blocks]
            store(rows)
            self.ask("LTRIM", name, len(blocks), -1)
            events += sum(frame.height for frame in rows)
        return events

    # Redis commands

    def ask(self, *command: Any) -> Any:
        """Sends one command and returns the answer; retries while the server is away.

        Raises:
            OnlineUnavailable: the server stays away.
        """
        return retry(self._server, partial(self._send, command), tries=2, patience=self._patience)

    def begin_once(self, *command: Any) -> Callable[[], Any]:
        """Sends one command that must not be retried.

        Returns:
            A function that waits for the answer. It raises OnlineUnavailable if the server is away or went away.
        """
        try:
            finish = self._server.begin([command], [self.names.stream])
        except REDIS_ERRORS as error:
            finish = partial(raise_errors, [error])
        return lambda: retry(self._server, lambda: raise_errors(finish())[0], tries=1)

    def _send(self, command: Command) -> Any:
        return raise_errors(self._server.send([command], [self.names.stream]))[0]

    def _release(self, owner: str) -> None:
        self.ask("EVAL", _RELEASE, 1, self.names.lease, owner)

    def _is_dead(self, owner: str) -> bool:
        """Whether the owner's process on this machine has ended; readers on other machines only lose their lease."""
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


_BLOCK = pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False)
"""Options of a block: starting threads takes longer than compressing a few kilobytes."""


def _block(rows: pa.Table) -> bytes:
    out = pa.BufferOutputStream()
    with pa.ipc.new_file(out, rows.schema, options=_BLOCK) as file:
        file.write(rows)
    return out.getvalue().to_pybytes()


def _reason_kind(reason: str) -> str:
    """A reason without the details of the event."""
    return reason.split(" '", maxsplit=1)[0][:80]
