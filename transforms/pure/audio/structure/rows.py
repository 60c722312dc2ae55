"""A structure as one long table: a row for the track and for each section, bar, beat, tatum and segment."""

from typing import Any

from transforms.pure.audio.chroma import CLASSES
from transforms.pure.audio.structure.frames import TIMBRES

_PARTS = {"section": "sections", "bar": "bars", "beat": "beats", "tatum": "tatums", "segment": "segments"}
KINDS = ("track", *_PARTS)
"""Values of the column ``kind``."""
PITCHES = tuple(f"pitch_{name.lower().replace('#', '_sharp')}" for name in CLASSES)
NUMBERS = (
    *("start", "duration", "confidence", "loudness", "tempo", "tempo_confidence", "key_confidence"),
    *("mode_confidence", "time_signature_confidence", "end_of_fade_in", "start_of_fade_out"),
    *("loudness_start", "loudness_max", "loudness_max_time", "loudness_end"),
    *PITCHES,
    *(f"timbre_{number}" for number in range(TIMBRES)),
)
"""Columns of decimal numbers."""
INTEGERS = ("number", "key", "mode", "time_signature")
"""Columns of integers; ``number`` counts the rows of a kind from 0."""


def rows(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of a structure: ``kind``, ``INTEGERS`` and ``NUMBERS``; None where a kind has no such column.

    Args:
        document: result of ``document.document``.

    >>> parts = {name: [] for name in _PARTS.values()} | {"beats": [{"start": 0.5, "duration": 0.5, "confidence": 1.0}]}
    >>> table = rows({"track": {"duration": 1.0, "key": -1}} | parts)
    >>> [(row["kind"], row["number"], row["start"], row["duration"], row["key"]) for row in table]
    [('track', 0, 0.0, 1.0, -1), ('beat', 0, 0.5, 0.5, None)]
    """
    parts = [("track", 0, {"start": 0.0, **document["track"]})]
    for kind, name in _PARTS.items():
        parts.extend((kind, number, part) for number, part in enumerate(document[name]))
    return [_row(kind, number, part) for kind, number, part in parts]


def _row(kind: str, number: int, part: dict[str, Any]) -> dict[str, Any]:
    lists = zip(PITCHES, part.get("pitches", ()), strict=False)
    timbres = {f"timbre_{place}": value for place, value in enumerate(part.get("timbre", ()))}
    values = {**part, **dict(lists), **timbres, "number": number}
    return {"kind": kind, **{name: values.get(name) for name in (*INTEGERS, *NUMBERS)}}
