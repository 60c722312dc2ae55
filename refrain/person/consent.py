"""What a person has consented to, and events of consent that are given by hand."""

import json
import shlex
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from feature_repo import clock
from feature_repo.contract import contract_of
from feature_repo.errors import InputError
from feature_repo.events import Names, append
from feature_repo.forgotten import Forgotten
from feature_repo.home import Home
from feature_repo.keys import key_value
from feature_repo.manifest import load_address
from feature_repo.packed.server import WRITE_TIMEOUT, open_server
from feature_repo.purposes import CONSENTS, NO_CONSENT, OPT_OUT
from refrain.person.erasure.run import canonical
from transforms.raw.ingest import Batch, ingest
from transforms.raw.read import scan
from transforms.stream.batch_boundary import archive_if_there

BY_HAND = "refrain person consent"
"""The ``source`` of an event that is given by hand."""


@dataclass(frozen=True)
class ConsentState:
    """What holds of one person and one purpose.

    Attributes:
        purpose: the purpose.
        rule: whether the project asks for consent, one of ``feature_repo.purposes.RULES``.
        granted: what the person said last; None if they said nothing.
        since: when they did.
    """

    purpose: str
    rule: str
    granted: bool | None = None
    since: datetime | None = None

    @property
    def is_allowed(self) -> bool:
        """Whether the person's data may be used for the purpose.

        >>> ConsentState("analytics", "opt-out").is_allowed, ConsentState("analytics", "opt-in").is_allowed
        (True, False)
        """
        if self.rule == NO_CONSENT:
            return True
        return self.rule == OPT_OUT if self.granted is None else self.granted


def states(home: Home, id_: str) -> list[ConsentState]:
    """Returns what holds of a person, for every purpose that needs consent or that they spoke about.

    Args:
        home: the data folder.
        id_: the id, of the key that events of consent have.

    Raises:
        InputError: the project has no events of consent, or the id is not valid.
    """
    key = _key(home)
    (id_,) = canonical(home, key, [id_])
    archive_if_there(home)
    rules = contract_of(home).project.purposes
    rows = scan(home, CONSENTS).filter(pl.col(key).cast(pl.String) == id_, pl.col("event_timestamp") < clock.now())
    newest = rows.sort("event_timestamp", pl.col("granted"), descending=[True, False])
    spoken = {
        row["purpose"]: ConsentState(
            row["purpose"], rules.get(row["purpose"], NO_CONSENT), row["granted"], row["event_timestamp"]
        )
        for row in newest.unique("purpose", keep="first", maintain_order=True).collect().iter_rows(named=True)
    }
    asked = {name: ConsentState(name, rule) for name, rule in rules.items() if rule != NO_CONSENT}
    return [state for _, state in sorted({**asked, **spoken}.items())]


def say(home: Home, id_: str, purpose: str, *, granted: bool) -> None:
    """Stores an event of consent as of now, and sends it to the stream: serving counts it as soon as that is read.

    Args:
        home: the data folder.
        id_: the id.
        purpose: the purpose.
        granted: whether consent is granted, or withdrawn.

    Raises:
        InputError: the purpose is unknown, the project has no events of consent, or the person is forgotten.
        OnlineUnavailable: the online store does not answer; the event is stored, and counts in training.
    """
    key = _key(home)
    (id_,) = canonical(home, key, [id_])
    words = contract_of(home).purpose_declarations.words
    if purpose not in words:
        raise InputError(
            expected=f"a purpose, one of {', '.join(words)}",
            found=repr(purpose),
            next_command=f"refrain person consent {shlex.quote(id_)} --purpose {words[0]} --grant",
        )
    if Forgotten.of(home).among(key, [id_]):
        raise InputError(
            expected="a person who is not forgotten",
            found=repr(id_),
            next_command=f"refrain person status {shlex.quote(id_)} --key {key}",
        )
    source = contract_of(home).events[CONSENTS]
    event = {key: key_value(id_, str(source.dtype(key)), key), "purpose": purpose, "granted": granted}
    event |= {"source": BY_HAND} if "source" in source.columns else {}
    moment = clock.now() - timedelta(microseconds=1)  # so that it counts as of now: a moment sees what was before it
    times = dict.fromkeys(("event_timestamp", "created_timestamp"), moment)
    ingest(home, BY_HAND, [Batch(CONSENTS, pl.DataFrame([event | times]))])
    if home.manifest.is_file():
        moments = dict.fromkeys(times, moment.isoformat())
        server = open_server(home, load_address(home), WRITE_TIMEOUT)
        append(server, Names(home.project), [(CONSENTS, json.dumps(event | moments).encode())])


def _key(home: Home) -> str:
    events = contract_of(home).events
    if CONSENTS not in events:
        raise InputError(
            expected=f"events {CONSENTS!r} in the project",
            found=f"the events {sorted(events)}",
            next_command=f"declare the EventSource {CONSENTS}, as docs/consent.md shows",
        )
    return events[CONSENTS].key[0]
