"""Names of rotated logs: which files are one log, and in which order they were written."""

import re
from pathlib import PurePosixPath

from transforms.raw.files.members import Member

_SUFFIX = re.compile(r"^(.+?)(?:[.-](?:(?P<number>[0-9]{1,4})|(?P<date>[0-9]{4}-?[0-9]{2}-?[0-9]{2}(?:-?[0-9]+)?)))?$")


def log_of(member: Member) -> str:
    """The log that a file is of: its path without the suffix of a rotation, and without that of a packed file.

    >>> from pathlib import Path
    >>> from transforms.raw.files.members import single
    >>> log_of(single(Path("README.md"), "log/auth.log.2.gz"))
    'log/auth.log'
    """
    match = _SUFFIX.match(member.file_name)
    return str(PurePosixPath(member.name).parent / (match[1] if match else member.file_name))


def age(member: Member) -> tuple[str, bool, int, str]:
    """Sorts files by their log, and the oldest first: the higher the number the older, the later the date the newer."""
    match = _SUFFIX.match(member.file_name)
    number, date = (match["number"], match["date"]) if match else (None, None)
    return log_of(member), not (number or date), -int(number or 0), date or ""
