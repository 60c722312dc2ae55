"""Rows of ``logins`` from the lines of sshd: one for each attempt.

Since OpenSSH 9.8 the process that writes them is ``sshd-session``. "Invalid user" and "Connection closed" lines tell of
an attempt that has a line of its own. A name of a user may hold `` from ADDRESS``, so the last one counts.
"""

import polars as pl

PROGRAMS = ("sshd", "sshd-session", "sshd-auth")
MOST_REPEATED = 10_000
_REPEATED = r"^message repeated (?P<times>[0-9]+) times: \[ ?(?P<inner>.*)\]$"
_ATTEMPT = (
    r"^(?P<result>Failed|Accepted) \S+ for (?:(?:invalid|illegal) user )?(?P<user>.*) "
    r"from (?P<address>\S+) port (?P<port>[0-9]+)"
)


def logins(lines: pl.DataFrame) -> pl.DataFrame:
    """(attempts,) rows of the raw table.

    Args:
        lines: columns ``host_id``, ``program``, ``pid``, ``number``, ``message`` and ``event_timestamp``.
    """
    rows = lines.filter(pl.col("program").is_in(PROGRAMS))
    repeated = pl.col("message").str.extract_groups(_REPEATED).struct
    rows = rows.with_columns(
        times=repeated.field("times").cast(pl.Int64, strict=False).fill_null(1).clip(0, MOST_REPEATED),
        attempt=pl.coalesce(repeated.field("inner"), "message").str.extract_groups(_ATTEMPT),
    ).unnest("attempt")
    rows = rows.filter(pl.col("result").is_not_null() & (pl.col("times") > 0))
    rows = rows.with_columns(repetition=pl.int_ranges("times")).explode("repetition")
    return rows.select(
        pl.when(pl.col("user").str.strip_chars() != "").then("user").otherwise(pl.lit("(none)")).alias("user_id"),
        pl.col("address").alias("client_ip"),
        pl.format("{}/{}/{}/{}/{}", "host_id", pl.col("pid").fill_null(""), "port", "number", "repetition").alias(
            "session"
        ),
        (pl.col("result") == "Accepted").alias("success"),
        "event_timestamp",
    )
