"""The order of test files: those that make a world first, then the slowest.

A file that takes a minute and starts last leaves one of two workers idle for that minute. A fresh clone has no recorded
seconds, so the list is committed. Its order is rough on purpose: only long files have to start early.
"""

from collections.abc import Sequence
from pathlib import Path

import pytest

TESTS = Path(__file__).parent

WORLDS = ("world", "telemetry", "written", "sounding", "long_world")
"""Fixtures of worlds, which one worker makes while others that need the same wait."""

SLOWEST = (
    "training/lifecycle/test_families.py",
    "transforms/stream/test_crashes.py",
    "training/lifecycle/test_lifecycle.py",
    "feature_repo/offline/test_oracle.py",
    "inference/test_faults.py",
    "refrain/client/test_client.py",
    "transforms/batch/test_build.py",
    "training/forecasting/test_uses.py",
    "training/anomaly/test_detectors.py",
    "inference/audio/test_audio_analysis.py",
    "feature_repo/test_doctor.py",
    "feature_repo/packed/test_real_redis.py",
    "feature_repo/test_materialize.py",
    "training/checks/test_bundles.py",
    "parity/test_what_is_gone.py",
    "inference/anomaly/test_detector.py",
    "docs/test_recipes.py",
    "transforms/stream/test_reader.py",
    "transforms/batch/windows/test_rows.py",
    "inference/text/test_analyzer.py",
    "transforms/raw/test_texts.py",
    "inference/anomaly/test_route.py",
    "parity/test_stream_equals_batch.py",
    "training/test_point_in_time.py",
    "training/test_audit.py",
    "feature_repo/online/test_online_store.py",
    "transforms/batch/test_clock_back.py",
    "feature_repo/packed/test_faults.py",
    "transforms/raw/test_sound.py",
    "refrain/test_podcasts.py",
    "inference/test_batches_and_feedback.py",
    "inference/test_swap.py",
    "training/audio/test_mel_cnn.py",
    "transforms/pure/audio/test_beats.py",
    "parity/test_plain_views.py",
    "transforms/pure/audio/test_frames.py",
    "transforms/batch/test_track_chart.py",
    "transforms/pure/anomaly/test_series.py",
    "transforms/raw/test_simulate.py",
    "transforms/pure/anomaly/test_counts.py",
    "refrain/test_checks.py",
    "feature_repo/packed/test_format.py",
    "transforms/raw/test_importers.py",
    "feature_repo/offline/test_offline_store.py",
    "training/text/test_real_texts.py",
    "transforms/raw/own_tables/test_database.py",
    "training/text/test_encoder.py",
    "transforms/stream/test_sources.py",
    "parity/test_online_equals_offline.py",
    "training/recommendation/test_sounds.py",
    "inference/console/test_browser.py",
    "inference/security/test_access.py",
    "inference/console/test_pages.py",
    "inference/test_events.py",
)
"""The slowest test files, the slowest first."""


def sort(items: list[pytest.Item]) -> None:
    """Puts the first file of each world in front, so that two workers make two worlds at once, then the slowest."""
    makers: dict[str, Path] = {}
    for item in items:
        for name in WORLDS:
            if name in getattr(item, "fixturenames", ()) and item.path not in makers.values():
                makers.setdefault(name, item.path)
    early: Sequence[Path] = [*makers.values(), *(TESTS / file for file in SLOWEST)]
    items.sort(key=lambda item: early.index(item.path) if item.path in early else len(early))
