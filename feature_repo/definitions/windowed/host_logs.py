"""Log lines of a host: volume, templates and error rate."""

from feature_repo.definitions.events.log_lines import log_lines
from feature_repo.windows import Count, Distinct, Rate, WindowedTable, column

SEVERE = ("emerg", "alert", "crit", "error")

host_logs = WindowedTable(
    name="host_logs",
    about="Lines, kinds of lines and share of errors in the logs of one host",
    source=log_lines,
    keys=("host_id",),
    windows=("1h", "1d"),
    features={
        "lines": Count(),
        "templates": Distinct("template"),
        "error_rate": Rate(where=column("level").is_in(SEVERE)),
    },
    every="1h",
)
