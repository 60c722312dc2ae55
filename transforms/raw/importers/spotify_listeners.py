"""Whose export it is: by the name in it, else by the plays that two exports of one person share.

An export is what was downloaded at once: an archive, or a folder of what was unpacked. Newer histories name nobody. Two
exports are of one person if, where their times overlap, they hold the same plays; people who listened together at
times share a few. The plays that are stored are compared too, so that a newer export, or one of another name, finds
its listener. Where nothing overlaps, nothing can be known, and the person has to say it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import msgspec
import polars as pl

from feature_repo.errors import InputError
from feature_repo.home import Home
from transforms.raw.files.members import Member, members
from transforms.raw.files.records import first_object, records
from transforms.raw.importers.same_person import MINUTE, bound, nameless, same_person, unused_id
from transforms.raw.importers.spotify_streams import Stream, shape_of, streams
from transforms.raw.read import scan

PREFIX = "spotify:"
UNNAMED = f"{PREFIX}me"
"""The listener of the only export in a data folder that does not say whose it is."""

_FOLDERS = re.compile(
    r"my ?data|spotify account data|spotify extended streaming history|spotify technical log information", re.IGNORECASE
)
"""Folders that Spotify names within an export."""

_NO_PERSON = re.compile(rf"/|{_FOLDERS.pattern}|(my[ _-]?)?spotify.*|downloads?|data|exports?|tmp", re.IGNORECASE)
"""Names of folders and archives that say nothing of the person."""

Signature = pl.DataFrame
"""(plays, 2) minute of the end and milliseconds of each play of music, as both forms have them."""


@dataclass
class Export:
    """One download.

    Attributes:
        place: where it is within the path that is read; empty for all of it.
        histories: members with streams, and their form.
        account: name of the account in the account data; empty if it is not there.
        usernames: names of accounts in the histories.
        shows: names of the podcasts in the account's library.
    """

    place: str
    histories: dict[str, tuple[Member, type[Stream]]] = field(default_factory=dict)
    account: str = ""
    usernames: frozenset[str] = frozenset()
    shows: frozenset[str] = frozenset()

    @property
    def username(self) -> str:
        """Whose it is; empty if it does not say, or is of several people."""
        return next(iter(self.usernames)) if len(self.usernames) == 1 else "" if self.usernames else self.account


def place_of(name: str) -> str:
    """The export that a member belongs to: its folder or archive, without the folders that Spotify names.

    >>> place_of("mira/my_spotify_data.zip/MyData/endsong_0.json"), place_of("MyData/endsong_0.json")
    ('mira/my_spotify_data.zip', '')
    """
    parts = list(PurePosixPath(name).parent.parts)
    while parts and _FOLDERS.fullmatch(parts[-1]):
        parts.pop()
    return "/".join(parts)


def exports_of(path: Path, listed: list[Member]) -> dict[str, Export]:
    """The exports of a path, by their place. Of a single file, what was unpacked beside it counts too.

    Args:
        path: what is read.
        listed: the members of it.
    """
    exports: dict[str, Export] = {}
    for member in listed:
        export = exports.setdefault(place_of(member.name), Export(place_of(member.name)))
        if not member.damage and (member.file_name.lower().endswith(".json") or _begins_as_json(member)):
            _note(export, member)
    for export in exports.values():
        for member in _beside(path) if not export.place else ():
            _note_account(export, member)
        names = {_text(first_object(member).get("username")) for member, _ in export.histories.values()}
        export.usernames = frozenset(names - {""})
    return {place: export for place, export in exports.items() if export.histories}


def _begins_as_json(member: Member) -> bool:
    """Whether a file of another name may be a history, such as one that was packed or renamed."""
    try:
        with member.open() as handle:
            return handle.peek(64)[:64].lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"[", b"{"))
    except InputError:
        return False


def _note(export: Export, member: Member) -> None:
    if not _note_account(export, member) and (shape := shape_of(member)):
        export.histories[member.name] = (member, shape)


def _note_account(export: Export, member: Member) -> bool:
    """Takes the name of the account and the podcasts of its library from the files that have them."""
    match member.stem.lower():
        case "userdata":
            export.account = export.account or _text(first_object(member).get("username"))
        case "yourlibrary":
            shows = first_object(member).get("shows")
            names = [show.get("name") for show in shows if isinstance(show, dict)] if isinstance(shows, list) else []
            export.shows |= frozenset(name for name in names if isinstance(name, str))
        case _:
            return False
    return True


def _beside(path: Path) -> Iterator[Member]:
    """The account files of the unpacked export that a file, or a folder of Spotify's name, is a part of."""
    folder = path.absolute() if path.is_dir() else path.absolute().parent
    places = [folder] if path.is_file() and path.suffix.lower() == ".json" else []
    if _FOLDERS.fullmatch(folder.name) and (path.is_dir() or places):
        places += [item for item in folder.parent.iterdir() if item.is_dir() and _FOLDERS.fullmatch(item.name)]
    for place in places:
        for name in ("Userdata.json", "YourLibrary.json"):
            if (place / name).is_file():
                yield from members(place / name)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def listeners(
    path: Path, home: Home | None, exports: dict[str, Export], user: str | None, *, incognito: bool
) -> dict[str, str]:
    """The listener's id of each export, by its place.

    Args:
        path: what is read.
        home: the data folder whose plays are compared; None if there is none.
        exports: the exports of the path.
        user: id of the only listener, if the person says it.
        incognito: whether plays of private sessions are stored, and so compared.

    Raises:
        InputError: with a ``user``, the exports are of several people. Without, one names nobody, and shares no time
            with the others or with what is stored.
    """
    named = {place: f"{PREFIX}{export.username}" for place, export in exports.items() if export.username}
    if user and len(set[str]().union(*(_usernames(export) for export in exports.values()))) > 1:
        raise _several(path, sorted(place for place, export in exports.items() if export.usernames or export.account))
    if len(named) == len(exports) and user:
        return dict.fromkeys(exports, user)
    stored = _stored_listeners(home) if home and not user else set[str]()
    is_settled = set(named.values()) <= stored or not stored
    if (len(named) == len(exports) and is_settled) or (len(exports) == 1 and not stored):
        return {place: user or named.get(place, UNNAMED) for place in exports}
    signatures = {place: _signature(export, incognito=incognito) for place, export in exports.items()}
    groups = _grouped(signatures, named)
    if user:
        if len(groups) > 1 and not _is_unknown(groups, signatures):
            raise _several(path, [group[0] for group in groups])
        return dict.fromkeys(exports, user)
    known = _stored_signatures(home, stored, list(signatures.values())) if home else {}
    return _ids(path, groups, signatures, named, known)


def _usernames(export: Export) -> set[str]:
    """All names in an export: histories that were put together may have those of several people in one file."""
    names = {export.account} if export.account and not export.usernames else set[str]()
    for member, _ in export.histories.values() if export.usernames else ():
        try:
            for batch in records(member, shape=_Named):
                names |= {row.username for row in batch.rows if row.username}
        except InputError:
            continue
    return names


class _Named(msgspec.Struct):
    username: str | None = None


def _grouped(signatures: dict[str, Signature], named: dict[str, str]) -> list[list[str]]:
    """Puts exports together that have one name, or the same plays."""
    groups: list[list[str]] = []
    for place in sorted(signatures, key=lambda place: (place not in named, place)):
        joined = [group for group in groups if any(_is_one(place, other, signatures, named) for other in group)]
        groups = [group for group in groups if group not in joined]
        groups.append([*(other for group in joined for other in group), place])
    return groups


def _is_one(one: str, other: str, signatures: dict[str, Signature], named: dict[str, str]) -> bool:
    if one in named and other in named:
        return named[one] == named[other]
    return bool(same_person(signatures[one], signatures[other]))


def _is_unknown(groups: list[list[str]], signatures: dict[str, Signature]) -> bool:
    pairs = [(a, b) for n, group in enumerate(groups) for other in groups[n + 1 :] for a in group for b in other]
    return all(same_person(signatures[a], signatures[b]) is None for a, b in pairs)


def _ids(
    path: Path,
    groups: list[list[str]],
    signatures: dict[str, Signature],
    named: dict[str, str],
    known: dict[str, Signature],
) -> dict[str, str]:
    ids: dict[str, str] = {}
    for group in groups:
        names = sorted({named[place] for place in group if place in named})
        verdicts = {user: [same_person(signatures[place], plays) for place in group] for user, plays in known.items()}
        matches = [user for user, answers in sorted(verdicts.items()) if any(answers)]
        id_ = next((name for name in names if name in known), "") or next(iter(matches), "") or next(iter(names), "")
        if not id_:
            others = [other for other in groups if other is not group]
            is_other = [any(answer is False for answer in answers) for answers in verdicts.values()]
            is_other += [
                any(same_person(signatures[a], signatures[b]) is False for a in group for b in other)
                for other in others
            ]
            if not all(is_other):
                raise nameless("spotify", path, group[0])
            taken = {*known, *ids.values(), *named.values()}
            id_ = _new_id(path, group[0], taken, is_only=not known and not others)
        ids |= dict.fromkeys(group, id_)
    return ids


def _signature(export: Export, *, incognito: bool) -> Signature:
    parts = [pl.DataFrame(schema={MINUTE: pl.Int64, "ms_played": pl.Int64})]
    for member, shape in export.histories.values():
        try:
            for batch in records(member, shape=shape):
                frame, _ = streams(batch.rows, shape, export.shows)
                music = frame.filter((pl.col("kind") == "track") & (pl.lit(incognito) | ~pl.col("incognito")))
                parts.append(_minutes(music.lazy(), "ended").collect())
        except InputError:
            continue  # what is damaged is named when it is read
    return pl.concat(parts).unique()


def _minutes(plays: pl.LazyFrame, ended: str) -> pl.LazyFrame:
    minute = (pl.col(ended).dt.epoch("s") // 60).cast(pl.Int64)
    return plays.filter(pl.col("ms_played") > 0).select(minute.alias(MINUTE), "ms_played")


def _stored_plays(home: Home) -> pl.LazyFrame:
    return scan(home, "plays").filter(pl.col("reported_by").str.starts_with("spotify"))


def _stored_listeners(home: Home) -> set[str]:
    return set(_stored_plays(home).select("user_id").unique().collect()["user_id"])


def _stored_signatures(home: Home, listeners: set[str], signatures: list[Signature]) -> dict[str, Signature]:
    """Plays that are stored from exports, of the times of the new ones, by listener."""
    empty = pl.DataFrame(schema={MINUTE: pl.Int64, "ms_played": pl.Int64})
    known = dict.fromkeys(listeners, empty)
    times = [plays for plays in signatures if plays.height]
    if not times:
        return known
    first, last = min(bound(plays, "min") for plays in times), max(bound(plays, "max") for plays in times)
    minutes = (pl.col("created_timestamp").dt.epoch("s") // 60).cast(pl.Int64)
    rows = (
        _stored_plays(home)
        .filter(minutes.is_between(first, last), pl.col("ms_played") > 0)
        .select("user_id", minutes.alias(MINUTE), "ms_played")
        .unique()
        .collect()
    )
    parts = {str(key[0]): part for key, part in rows.partition_by("user_id", as_dict=True, include_key=False).items()}
    return known | parts


def _new_id(path: Path, place: str, taken: set[str], is_only: bool) -> str:
    """An id for a person without a name: of the folder where the export is, unless it is the only one."""
    parts = [*path.absolute().parts, *PurePosixPath(place).parts]
    names = [part for part in reversed(parts) if not _NO_PERSON.fullmatch(part)]
    wanted = UNNAMED if is_only or not names else f"{PREFIX}{PurePosixPath(names[0]).stem}"
    return unused_id(wanted, taken)


def _several(path: Path, places: list[str]) -> InputError:
    return InputError(
        expected="with --user, the exports of one person",
        found=f"those of {len(places)} in {path}: {', '.join(place or '.' for place in places[:5])}",
        next_command=f"refrain import spotify {path}  (each person has an id), or one path a person",
    )
