"""When, on what and in which situation somebody asks."""

import numpy as np

from feature_repo.on_demand import OnDemand

DEVICES = ("phone", "desktop", "speaker", "tv", "car", "web")
CONTEXTS = ("library", "playlist", "radio", "search", "album", "autoplay", "rating", "tag")


def request_context(request_timestamp: np.ndarray, device: np.ndarray, context: np.ndarray) -> dict[str, np.ndarray]:
    """Hour (0–23) and weekday (0 = Monday) in UTC, and codes of device and context.

    A code is the place in ``DEVICES`` or ``CONTEXTS`` counted from 1; 0 for anything else and for missing. An
    unknown time gives hour and weekday -1.
    """
    known = np.isfinite(request_timestamp)
    seconds = np.where(known, request_timestamp, 0).astype(np.int64)
    days = seconds // 86_400
    return {
        "hour_of_day": np.where(known, seconds % 86_400 // 3_600, -1),
        "day_of_week": np.where(known, (days + 3) % 7, -1),  # 1970-01-01 was a Thursday
        "device_code": codes(device, DEVICES),
        "context_code": codes(context, CONTEXTS),
    }


def codes(values: np.ndarray, vocabulary: tuple[str, ...]) -> np.ndarray:
    """Place of each value in the vocabulary, counted from 1; 0 for a stranger."""
    places = {word: place for place, word in enumerate(vocabulary, start=1)}
    return np.array([places.get(value, 0) for value in values], dtype=np.int64)


REQUEST_CONTEXT = OnDemand(
    "request_context",
    request_context,
    inputs={"request_timestamp": "request_timestamp", "device": "device", "context": "context"},
    outputs={
        "hour_of_day": "Int64",
        "day_of_week": "Int64",
        "device_code": "Int64",
        "context_code": "Int64",
    },
    request={"device": "String", "context": "String"},
)
