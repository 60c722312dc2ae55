"""The place of a file: what a seal is bound to, beside the file's content."""

from pathlib import Path

from feature_repo.home import Home

TAKEN = ".packing"
"""Ending of a log that is being packed; it was renamed, and keeps the place that it was written at."""


def stored_place(home: Home, path: Path) -> str:
    """The tenant, and the path inside the data folder, which stays when the folder is moved or copied.

    Args:
        home: the data folder.
        path: a file in it.

    Raises:
        ValueError: the file is not in the data folder.

    >>> home = Home(Path("/srv/refrain"))
    >>> stored_place(home, home.impressions / "date=2026-03-01" / "17-ab.jsonl")
    'default:impressions/tenant=default/date=2026-03-01/17-ab.jsonl'
    >>> stored_place(home, home.impressions / "date=2026-03-01" / "17-ab-0f.packing")
    'default:impressions/tenant=default/date=2026-03-01/17-ab.jsonl'
    """
    inside = path.absolute().relative_to(home.root)
    if inside.suffix == TAKEN:
        inside = inside.with_name(f"{inside.stem.rpartition('-')[0]}.jsonl")
    return f"{home.tenant}:{inside.as_posix()}"
