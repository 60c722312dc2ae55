"""The way of an export of a service into batches: which members are histories, whose they are, and their plays."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import polars as pl

from feature_repo.errors import InputError
from feature_repo.home import Home
from transforms.raw.files.describe import describe
from transforms.raw.files.members import Member, PassedOver, members
from transforms.raw.importers.export_listeners import Export, listener_ids
from transforms.raw.importers.format import Format
from transforms.raw.importers.listening import played_batches
from transforms.raw.ingest import Batch
from transforms.raw.validate import QUARANTINE


@dataclass(frozen=True)
class Played:
    """Plays of a member, whose listener is still open.

    Attributes:
        rows: columns of ``PLAYED`` but ``user_id``.
        malformed: rows that are no plays.
        left_out: kind of rows that are not wanted → how many.
        done: bytes of the member that are read.
    """

    rows: pl.DataFrame
    malformed: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=QUARANTINE))
    left_out: Mapping[str, int] = field(default_factory=dict)
    done: float = 0


def folder_of(member: Member) -> str:
    """The folder of a member within the path: what lies in one folder is of one person."""
    parent = str(PurePosixPath(member.name).parent)
    return "" if parent == "." else parent


@dataclass(frozen=True)
class Service:
    """How a service's exports are read.

    Attributes:
        format: the importer.
        is_history: function that returns whether a member holds plays.
        plays_of: function that yields the plays of such a member.
        account_of: function that returns the account which a member names; empty if it names none.
        place_of: function that returns the export that a member belongs to; by default its folder.
        instead: function that returns why a history is passed over beside the others; empty if it is read.
    """

    format: Format
    is_history: Callable[[Member], bool]
    plays_of: Callable[[Member], Iterator[Played]]
    account_of: Callable[[Member], str] = lambda member: ""
    place_of: Callable[[Member], str] = folder_of
    instead: Callable[[Member, list[Member]], str] = lambda member, others: ""

    def read(self, path: Path, home: Home | None, user: str | None) -> Iterator[Batch | PassedOver]:
        """Yields the plays of a path, member after member; see ``Format.read``."""
        files: list[Member] = []
        why: dict[str, str] = {}
        listed = list(members(self.format.check(path)))
        for member in listed:
            try:
                if not member.damage and self.is_history(member):
                    files.append(member)
            except InputError as error:
                why[member.name] = f"{error.found}; next: {error.next_command}"
        why |= {member.name: self.instead(member, files) for member in files}
        by_place: dict[str, list[Member]] = {}
        for member in files:
            by_place.setdefault(self.place_of(member), []).append(member)
        exports = {place: self._export(parts) for place, parts in by_place.items()}
        ids = listener_ids(self.format.name, path, home, user, exports)

        def read_member(member: Member) -> Iterator[Batch]:
            id_ = pl.lit(ids[self.place_of(member)]).alias("user_id")
            for part in self.plays_of(member):
                rows = part.rows.with_columns(id_)
                yield from played_batches(rows, part.malformed, left_out=part.left_out, done=part.done)

        def why_not(member: Member) -> str:
            return why[member.name] if member.name in why else describe(member)

        plays, left_out = 0, Counter[str]()
        for item in self.format.each_member(path, read_member, why_not, listed=listed):
            if not isinstance(item, PassedOver):
                plays += item.rows.height
                left_out.update(item.left_out)
            yield item
        if left_out and not plays:
            kinds = ", ".join(f"{count:,} {why}" for why, count in left_out.items())
            raise self.format.mismatch(f"no play of music in {path}; left out: {kinds}")

    def _export(self, parts: list[Member]) -> Export:
        def plays() -> pl.DataFrame:
            frames = [pl.DataFrame(schema=_SIGNATURE)]
            for member in parts:
                try:
                    frames += [part.rows.select(list(_SIGNATURE)) for part in self.plays_of(member)]
                except InputError:
                    continue  # it is named when it is read
            return pl.concat(frames, how="vertical_relaxed")

        return Export(next((name for name in map(self.account_of, parts) if name), ""), plays)


_SIGNATURE = {"track_id": pl.String(), "event_timestamp": pl.Datetime("us", "UTC"), "reported_by": pl.String()}
