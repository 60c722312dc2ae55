"""What a file is, in words, for messages about files that are not read. No value of the file is quoted."""

from pathlib import PurePosixPath

from feature_repo.errors import InputError
from transforms.raw.files import text as texts
from transforms.raw.files.members import Member
from transforms.raw.files.records import first_object
from transforms.raw.files.table import Table
from transforms.raw.files.text import storable

_HEAD = 4_096
_NAMES = 6

_MAGIC = {
    b"%PDF": "a PDF",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"GIF8": "a picture",
    b"RIFF": "a sound or picture (RIFF)",
    b"ID3": "sound (MP3)",
    b"fLaC": "sound (FLAC)",
    b"OggS": "sound (Ogg)",
    b"PAR1": "a table (Parquet)",
    b"ARROW1": "a table (Arrow IPC)",
    b"SQLite format 3": "an SQLite database",
    b"PK\x03\x04": "an Office document or zip archive",
    b"\xd0\xcf\x11\xe0": "an old Office document",
    b"Rar!": "a RAR archive; unpack it first",
    b"7z\xbc\xaf\x27\x1c": "a 7-Zip archive; unpack it first",
}

KNOWN = {
    frozenset({"playlists"}): "playlists, not a history",
    frozenset({"tracks", "albums", "shows"}): "a library, not a history",
    frozenset({"username", "email"}): "an account's personal data, not a history",
    frozenset({"displayName", "imageUrl"}): "an account's personal data, not a history",
    frozenset({"artistName", "segment"}): "segments for advertising, not a history",
    frozenset({"searchTime"}): "searches, not a history",
    frozenset({"payment_method"}): "payments, not a history",
    frozenset({"inferences"}): "inferences for advertising, not a history",
    frozenset({"follow", "followers"}): "followers, not a history",
    frozenset(
        {"endTime", "artistName", "trackName", "msPlayed"}
    ): "Spotify's account data: a history in the short form",
    frozenset({"endTime", "podcastName", "msPlayed"}): "Spotify's account data: podcasts in the short form",
    frozenset({"ts", "ms_played"}): "Spotify's extended streaming history",
    frozenset({"track_metadata", "listened_at"}): "ListenBrainz listens",
    frozenset({"track_metadata", "timestamp"}): "a dump of ListenBrainz listens",
    frozenset({"recording_mbid", "score"}): "ListenBrainz feedback, not a history",
    frozenset({"payload"}): "an answer of the ListenBrainz API",
    frozenset({"recenttracks"}): "an answer of the Last.fm API",
    frozenset({"maloja", "scrobbles"}): "an export of Maloja",
    frozenset({"header", "title", "time"}): "a history of Google Takeout",
    frozenset({"__REALTIME_TIMESTAMP"}): "a journal of systemd",
}
"""Keys of the first object of a JSON file → what the file is; the first that are all there count."""


def describe(member: Member) -> str:
    """Describes a file by its content: its first bytes, the keys of its JSON, or the columns of its table.

    >>> from pathlib import Path
    >>> from transforms.raw.files.members import single
    >>> describe(single(Path("README.md")))
    'text'
    """
    if member.damage:
        return member.damage
    try:
        with member.open() as handle:
            head = handle.read(_HEAD)
        return _binary_name(head) or _text_name(member, head)
    except InputError as error:
        return error.found


def _binary_name(head: bytes) -> str:
    """The name of a format with a sign at its beginning; empty if there is none."""
    names = (name for magic, name in _MAGIC.items() if head.startswith(magic))
    return next(names, "" if head.strip() else "an empty file")


def _text_name(member: Member, head: bytes) -> str:
    if b"\0" in head and texts.encoding_of(head).startswith("utf-8"):
        return "no text"
    start = head.decode(texts.encoding_of(head), "replace").lstrip("\ufeff").lstrip()
    if start.startswith("<"):
        return "a web page (HTML)" if start.lower().startswith(("<!doctype html", "<html")) else "XML"
    if start.startswith(("[", "{")):
        return _describe_json(member, start)
    if PurePosixPath(member.file_name).suffix.lower() not in (".csv", ".tsv", ".dat"):
        return "text"
    table = Table(texts.recognize(member))
    return f"a table of {_listed(table.columns)}" if table.has_header else f"a table of {len(table.columns)} columns"


def _describe_json(member: Member, start: str) -> str:
    first = first_object(member)
    keys = set(first)
    known = next((name for signs, name in KNOWN.items() if signs <= keys), "")
    if known or not keys:
        return known or ("an empty list or object" if start.strip() in ("{}", "[]") else "text")
    return f"JSON: objects with {_listed(list(first))}"


def _listed(names: list[str]) -> str:
    shown = ", ".join(storable(repr(name[:60])) for name in names[:_NAMES])
    return f"{shown}, …" if len(names) > _NAMES else shown
