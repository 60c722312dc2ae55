"""Syslog by RFC 3164, with or without ``<PRI>``. Its times have no zone, taken as UTC, and no year: see ``years``."""

import polars as pl

from transforms.raw.logs.format import LogFile, LogFormat, groups
from transforms.raw.logs.syslog import PRIORITY, TAGGED, level
from transforms.raw.logs.years import next_years, seconds_of_year

_TIME = r"[A-Z][a-z]{2} [ 0-9]?[0-9](?: [0-9]{4})? [0-9]{2}:[0-9]{2}:[0-9]{2}"
_PATTERN = rf"^(?:<[0-9]{{1,3}}>)?{_TIME}(?:\.[0-9]+)? \S+ "
_LINE = (
    rf"(?s)^{PRIORITY}(?P<day>[A-Z][a-z]{{2}} [ 0-9]?[0-9])(?: (?P<year>[0-9]{{4}}))? "
    rf"(?P<clock>[0-9:]{{8}}(?:\.[0-9]+)?) {TAGGED}$"
)
_UNDATED = rf"^(?:<[0-9]{{1,3}}>)?({_TIME})"


def _survey(lines: pl.Series, file: LogFile) -> None:
    file.undated.append(seconds_of_year(lines.str.extract(_UNDATED)))


def _parse(lines: pl.Series, file: LogFile) -> pl.DataFrame:
    rows = groups(lines, _LINE)
    year = next_years(seconds_of_year(lines.str.extract(_UNDATED)), file).cast(pl.String).alias("inferred")
    time = pl.format(
        "{} {} {}",
        pl.coalesce("year", "inferred"),
        pl.col("day").str.replace("  ", " ", literal=True),
        "clock",
    )
    return rows.with_columns(year).select(
        time.str.to_datetime("%Y %b %d %H:%M:%S%.f", time_unit="us", time_zone="UTC", strict=False).alias(
            "event_timestamp"
        ),
        "pid",
        "message",
        host_id="host",
        program=pl.col("program").fill_null("syslog"),
        level=level("priority"),
    )


RFC3164 = LogFormat("RFC 3164", "log_lines", _PATTERN, _parse, survey=_survey)
