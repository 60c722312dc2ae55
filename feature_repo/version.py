"""The version of Refrain, which everything that it writes carries."""

import tomllib
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

UNKNOWN = "0"
"""The version where neither a working copy nor an installed package says one."""

_PROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"


@cache
def version() -> str:
    """Returns the version of this Refrain: of the working copy that it runs from, else of the installed package.

    A working copy comes first, because what is installed beside it may be older.

    >>> version().split(".")[0].isdigit()
    True
    """
    try:
        project = tomllib.loads(_PROJECT.read_text())["project"]
        if project["name"] == "refrain":
            return str(project["version"])
    except (OSError, ValueError, KeyError):
        pass
    try:
        return distribution("refrain").version
    except PackageNotFoundError:
        return UNKNOWN
