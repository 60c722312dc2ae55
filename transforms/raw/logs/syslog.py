"""What the forms of syslog share: priority, and host, program and process before the message."""

import polars as pl

from transforms.raw.logs.format import LEVELS

PRIORITY = "(?:<(?P<priority>[0-9]{1,3})>)?"
"""Regular expression of the priority, which only lines from the network have."""

TAGGED = r"(?P<host>\S+) (?:(?P<program>[^\s\[:]+)(?:\[(?P<pid>[0-9]+)\])?: ?)?(?P<message>.*)"
"""Regular expression of host, program, process and message; a line may have no program."""


def level(priority: str) -> pl.Expr:
    """The severity in a column of priorities; null where there is none.

    >>> pl.DataFrame({"priority": ["38", None]}).select(level("priority")).to_series().to_list()
    ['info', None]
    """
    severity = pl.col(priority).cast(pl.Int64, strict=False) % len(LEVELS)
    return severity.replace_strict(dict(enumerate(LEVELS)), default=None, return_dtype=pl.String)
