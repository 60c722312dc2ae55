"""Lines of host logs."""

from feature_repo.windows import EventSource

log_lines = EventSource(
    "log_lines",
    columns={
        "host_id": "String",
        "program": "String",
        "number": "Int64",
        "level": "String",
        "template": "String",
        "message": "String",
    },
    key=("host_id", "program", "number"),
    ranges={"number": (0, 1 << 50)},
)
"""One log line; ``number`` distinguishes lines of one second, ``template`` is the line without its variable parts."""
