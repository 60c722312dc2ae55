"""Simulated masters: synthesized sound, damaged by scheduled incidents, and measured like imported files."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from transforms.pure.audio.quality import measure
from transforms.raw.simulate.telemetry.schedule import DAY, Event, TelemetrySize
from transforms.raw.table import MICROSECONDS_UTC
from transforms.raw.tables.audio_measurements import AUDIO_MEASUREMENTS

RATE = 22_050
SECONDS = 3
_SCALE = np.array([0, 2, 4, 5, 7, 9, 11, 12])


def audio_measurements(
    size: TelemetrySize, schedule: Sequence[Event], day: int, rng: np.random.Generator
) -> pl.DataFrame:
    """Draw and measure the masters of one day."""
    first = size.begin + day * DAY
    incidents = [event for event in schedule if "master" in event.kind and first <= event.start < first + DAY]
    at = np.sort(rng.integers(first, first + DAY, size.masters))
    masters: list[tuple[str, int, np.ndarray]] = [
        (f"master-{day:03}-{number:04}", int(time), synthesize(rng)) for number, time in enumerate(at)
    ]
    masters += [(event.entity_id, event.start, spoil(synthesize(rng), event)) for event in incidents]
    rows = [
        {
            "track_id": name,
            "event_timestamp": time,
            "sample_rate": RATE,
            "channels": sound.shape[1],
            **measure(sound, RATE),
        }
        for name, time, sound in masters
    ]
    columns = {**AUDIO_MEASUREMENTS.columns, "event_timestamp": pl.Int64()}
    schema = {name: columns[name] for name in (rows[0] if rows else columns)}
    return pl.DataFrame(rows, schema=schema).with_columns(pl.col("event_timestamp").cast(MICROSECONDS_UTC))


def synthesize(rng: np.random.Generator) -> np.ndarray:
    """Synthesize a few seconds of stereo sound (n, 2): notes with overtones, noise, random level and stereo width."""
    count = RATE * SECONDS
    time = np.arange(count) / RATE
    left, right = np.zeros(count), np.zeros(count)
    root = 110 * 2 ** rng.integers(0, 3)
    length = rng.uniform(0.15, 0.6)
    bright = rng.uniform(0.3, 0.8)
    width = rng.uniform(0.0, 0.5)
    for begin in np.arange(0, SECONDS - length, length):
        part = slice(int(begin * RATE), int((begin + length) * RATE))
        local = time[part] - begin
        envelope = np.exp(-local / (length * rng.uniform(0.3, 1.5))) * np.minimum(local / 0.005, 1)
        note = root * 2 ** (_SCALE[rng.integers(len(_SCALE))] / 12)
        tone = sum(
            bright**k * np.sin(2 * np.pi * note * (k + 1) * local) for k in range(6) if note * (k + 1) < RATE / 2
        )
        side = rng.uniform(-width, width)
        left[part] += envelope * tone * (1 - side)
        right[part] += envelope * tone * (1 + side)
    hiss = 10 ** (rng.uniform(-75, -50) / 20)
    sound = np.column_stack([left, right]) + hiss * rng.normal(size=(count, 2))
    driven = np.tanh(sound / np.abs(sound).max() * rng.uniform(0.8, 4.0))  # from quiet recordings to loud ones
    if rng.random() < 0.1:  # a mono recording
        driven = driven.mean(axis=1, keepdims=True).repeat(2, axis=1)
    gap = int(rng.uniform(0, 0.8) * RATE)
    driven[:gap] *= 1e-4
    return driven / np.abs(driven).max() * 10 ** (rng.uniform(-6, -0.3) / 20)


def spoil(sound: np.ndarray, event: Event) -> np.ndarray:
    """Damage a sound (n, 2) as the incident does: clipping, or silence on one or both channels."""
    if event.kind == "clipped_master":
        return np.clip(sound * (2 + 6 * event.strength), -1, 1)
    if event.strength < 0.5:
        return sound * np.array([1.0, 1e-6])
    return sound * 1e-6
