"""Known incidents with beginning and end: labels for anomaly detectors."""

import dataframely as dy

from transforms.raw.table import MICROSECONDS_UTC, RawTable, Timed, key_column


class Incidents(Timed):
    """One row per incident; ``event_timestamp`` is its beginning, ``created_timestamp`` the time of the label.

    ``entity`` is the join key of the affected entity (``host_id``, ``endpoint``, ``user_id``, ``client_ip`` or
    ``track_id``).
    """

    entity = key_column()
    entity_id = key_column()
    kind = key_column()
    ended = dy.Datetime(time_unit=MICROSECONDS_UTC.time_unit, time_zone=MICROSECONDS_UTC.time_zone, nullable=True)
    cause = dy.String(nullable=True)


INCIDENTS = RawTable(
    "incidents",
    Incidents,
    key=("entity", "entity_id", "kind", "event_timestamp"),
    entity_kinds={name: name for name in ("host_id", "endpoint", "user_id", "client_ip", "track_id")},
    retention="730d",
)
