"""The listener of an export that names nobody: by the folder or the archive that it is in."""

import re
from pathlib import Path, PurePosixPath

from transforms.raw.files.members import Member
from transforms.raw.files.streams import is_archive_name, plain_name

_GENERAL = re.compile(
    r"(last[ ._-]?(fm\w*|export)|listen(brainz|s)?|maloja|spotify|rockbox|my|data|music|audio|api|export(s|ed)?|"
    r"import(s|ed)?|dump|scrobbl\w*|histor\w*|plays|pages?|recent[ _-]?tracks|takeout|archives?|backups?|old|new|"
    r"unpacked|downloads?|documents?|desktop|files?|mnt|media|home|root|users?|tmp|temp|var|[\d\W_]*)([ ._-]+.*)?",
    re.IGNORECASE,
)
"""Names of folders and files that say what is in them, and not whose it is."""


def place_names(path: Path, member: Member) -> list[str]:
    """Names of what a member is in, without endings of archives: the innermost first, up to the root of the disk.

    >>> from transforms.raw.files.members import single
    >>> place_names(Path("/mira/exports/plays.csv"), single(Path("README.md"), "plays.csv"))
    ['exports', 'mira']
    """
    inner = [part for part in PurePosixPath(member.name).parent.parts if part != "."]
    outer = path.absolute().parts[1:]
    if not path.is_dir() and not is_archive_name(path.name):
        outer = outer[:-1]
    return [plain_name(name) for name in reversed((*outer, *inner))]


def place_listener(service: str, path: Path, member: Member) -> str:
    """Id of the listener whose folder or archive a member is in, wherever the path that is read begins.

    Args:
        service: prefix of the id.
        path: what is read.
        member: an export without a name.

    >>> from transforms.raw.files.members import single
    >>> place_listener("lastfm", Path("/mira/exports/plays.csv"), single(Path("README.md"), "plays.csv"))
    'lastfm:mira'
    """
    names = (name for name in place_names(path, member) if not is_general(name))
    return f"{service}:{next(names, 'me')}"


def is_general(name: str) -> bool:
    """Whether the name of a folder or file says what is in it, and not whose it is.

    >>> is_general("Last.fm export"), is_general("2024"), is_general("mira")
    (True, True, False)
    """
    return _GENERAL.fullmatch(name) is not None
