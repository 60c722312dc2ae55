"""Log formats: one format a file, with one ``LogFormat`` that is found by its type."""

from functools import cache

from feature_repo.discovery import definitions
from transforms.raw.logs.format import LogFormat


@cache
def formats() -> dict[str, LogFormat]:
    """All log formats by name.

    >>> sorted(formats())[:3]
    ['ALB', 'Apache error log', 'Caddy']
    """
    return definitions("transforms.raw.logs.formats", LogFormat)
