"""Access logs of AWS load balancers ("Access logs for your Application Load Balancer"); those of the classic one, too.

Fields have been added at the end over time, so only those up to the domain name are read.
"""

import polars as pl

from feature_repo.stores.spine import parse_instants
from transforms.raw.logs.format import LogFile, LogFormat, address, groups, known, microseconds, request_line, whole

_TYPE = r"^(?:(?:https?|h2|grpcs?|wss?) )?"
_QUOTED = r'"(?:[^"\\]|\\.)*"'
_PATTERN = _TYPE + r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z \S+ \S+ \S+ -?[0-9.]+ -?[0-9.]+ -?[0-9.]+ "
_LINE = (
    _TYPE + r"(?P<time>[0-9T:.-]+Z) \S+ (?P<client>\S+) \S+ (?P<taken>-?[0-9.]+) (?P<target>-?[0-9.]+) "
    r'(?P<given>-?[0-9.]+) (?P<status>[0-9]{3}|-) \S+ [0-9]+ (?P<bytes>[0-9]+) "(?P<request>(?:[^"\\]|\\.)*)"'
    rf'(?: {_QUOTED} \S+ \S+ \S+ "[^"]*" "(?P<host>[^"]*)")?'
)


def _parse(lines: pl.Series, file: LogFile) -> pl.DataFrame:
    rows = groups(lines, _LINE)
    return rows.select(
        parse_instants(rows["time"]).alias("event_timestamp"),
        *request_line("request"),
        whole("status").alias("status"),
        whole("bytes").alias("bytes"),
        host_id=known("host"),
        client_ip=address("client"),
        latency_us=microseconds("taken") + microseconds("target") + microseconds("given"),
    )


ALB = LogFormat("ALB", "requests", _PATTERN, _parse)
