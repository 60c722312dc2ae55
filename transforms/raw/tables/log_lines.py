"""Log lines, each with its template."""

import dataframely as dy

from transforms.raw.table import RawTable, Timed, key_column


class LogLines(Timed):
    """One row per line; ``number`` counts the lines of one program within a second."""

    host_id = key_column()
    program = key_column()
    number = dy.Int64(nullable=False, min=0)
    level = dy.String(nullable=True)
    template = dy.String(nullable=True)
    message = dy.String(nullable=True)


LOG_LINES = RawTable(
    "log_lines",
    LogLines,
    key=("host_id", "program", "number", "event_timestamp"),
    personal=("message",),
    sensitive=("message",),
    retention="365d",
)
