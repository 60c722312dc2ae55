"""Whose an export is: by the account that it names, else by the plays that two exports of one person share.

Most services do not say whose export it is. As with Spotify (``spotify_listeners``), two exports are of one person if,
where their times overlap, they hold the same plays; those stored before are compared too. Where nothing overlaps,
nothing can be known, and the person has to say it with ``--user``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path, PurePosixPath

import polars as pl

from feature_repo.errors import InputError
from feature_repo.home import Home
from transforms.raw.files.streams import is_archive_name, plain_name
from transforms.raw.importers.place_listener import is_general
from transforms.raw.importers.same_person import MINUTE, nameless, same_person, unused_id
from transforms.raw.read import scan


@dataclass(frozen=True)
class Export:
    """What was downloaded at once.

    Attributes:
        account: what the export says of whose it is; empty if it says nothing.
        plays: function that reads its plays: at least ``track_id``, ``event_timestamp`` and ``reported_by``. Forms
            that name tracks alike differ in what is in brackets: ``youtube music (page)``.
    """

    account: str
    plays: Callable[[], pl.DataFrame]


def listener_ids(
    service: str, path: Path, home: Home | None, user: str | None, exports: Mapping[str, Export]
) -> dict[str, str]:
    """The listener's id of each export, by its place within the path.

    Args:
        service: name of the service, which ids begin with.
        path: what is read.
        home: the data folder whose plays are compared; None if there is none.
        user: id of the only listener, if the person says it.
        exports: the exports of the path, by their place.

    Raises:
        InputError: with a ``user``, the exports are of several people. Without, one names nobody, and shares no time
            with the others or with what is stored.
    """
    accounts = {export.account for export in exports.values()} - {""}
    if user:
        if len(accounts) > 1 or _are_several(exports):
            raise _several(service, path, list(exports))
        return dict.fromkeys(exports, user)
    named = {place: f"{service}:{export.account}" for place, export in exports.items() if export.account}
    stored = _stored(home, service) if home else pl.DataFrame(schema={"user_id": pl.String})
    known = set(stored["user_id"])
    if len(named) == len(exports) and (not known or set(named.values()) <= known):
        return named
    if len(exports) == 1 and not known:
        return {place: named.get(place, f"{service}:me") for place in exports}
    ids: dict[str, str] = {}
    signatures = {place: _signature(export.plays()) for place, export in exports.items()}
    for place in sorted(exports, key=lambda place: (place not in named, place)):
        ids[place] = _id(service, path, place, named.get(place, ""), signatures, ids, stored)
    return ids


def _id(
    service: str,
    path: Path,
    place: str,
    name: str,
    signatures: Mapping[str, pl.DataFrame],
    ids: Mapping[str, str],
    stored: pl.DataFrame,
) -> str:
    """The id of one export, after those of the others that are settled."""
    known = set(stored["user_id"])
    if name in known or name in ids.values():
        return name
    plays = signatures[place]
    verdicts: dict[str, list[bool | None]] = {}
    for user in sorted(known):
        of_user = stored.filter(pl.col("user_id") == user)
        verdicts.setdefault(user, []).append(_is_same(plays, _signature(of_user)))
    for other, user in ids.items():
        verdicts.setdefault(user, []).append(_is_same(plays, signatures[other]))
    match = next((user for user, answers in verdicts.items() if True in answers), "")
    if match or name:
        return match or name
    if not all(False in answers for answers in verdicts.values()):
        raise nameless(service, path, place)
    return _new_id(service, path, place, set(verdicts))


def _is_same(one: pl.DataFrame, other: pl.DataFrame) -> bool | None:
    """Whether two exports are of one person, by the forms of export that both have; None if nothing overlaps."""
    forms = set(one["reported_by"]) & set(other["reported_by"])
    return same_person(*(plays.filter(pl.col("reported_by").is_in(forms)) for plays in (one, other)))


def _signature(plays: pl.DataFrame) -> pl.DataFrame:
    """(plays, 3) minute, track and form of each play."""
    minute = (pl.col("event_timestamp").dt.epoch("s") // 60).cast(pl.Int64).alias(MINUTE)
    form = pl.col("reported_by").str.replace(r" \(.*\)$", "")
    return plays.select(minute, "track_id", form).unique()


def _are_several(exports: Mapping[str, Export]) -> bool:
    if len(exports) < 2:
        return False
    signatures = [_signature(export.plays()) for export in exports.values()]
    return any(_is_same(one, other) is False for one, other in combinations(signatures, 2))


def _stored(home: Home, service: str) -> pl.DataFrame:
    """The plays that are stored from exports of a service."""
    plays = scan(home, "plays").filter(pl.col("reported_by").str.starts_with(service.replace("-", " ")))
    return plays.select("user_id", "track_id", "event_timestamp", "reported_by").collect()


def _new_id(service: str, path: Path, place: str, taken: set[str]) -> str:
    """An id for another person without a name: of the folder where the export is; the first one has none."""
    own = path.name if path.is_dir() or is_archive_name(path.name) else path.stem
    parts = map(plain_name, [*PurePosixPath(place).parts[::-1], own, *path.absolute().parent.parts[:0:-1]])
    names = [part for part in parts if not is_general(part)]
    is_first = not taken and not place
    wanted = f"{service}:me" if is_first or not names else f"{service}:{names[0]}"
    return unused_id(wanted, taken)


def _several(service: str, path: Path, places: list[str]) -> InputError:
    return InputError(
        expected="with --user, the exports of one person",
        found=f"those of several in {path}: {', '.join(place or '.' for place in places[:5])}",
        next_command=f"refrain import {service} {path}  (each person has an id), or one path a person",
    )
