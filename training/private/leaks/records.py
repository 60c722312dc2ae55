"""What was measured of a version, stored beside the versions of its model. Figures alone, of nobody's rows."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from feature_repo.home import Home
from feature_repo.whole_files import write_whole
from training.private.leaks.leak import Leak, from_json, to_json

FORMAT = 1


def record_of(home: Home, model: str, version: int) -> Path:
    """Returns the file of a version's figures."""
    return home.bundles(model) / f"leaks-{version}.json"


def write(
    home: Home, model: str, version: int, leaks: Sequence[Leak], settings: Mapping[str, Any], replaces: bool = True
) -> Path:
    """Writes the figures of a version.

    Args:
        home: the data folder.
        model: name of the model.
        version: its version.
        leaks: the figures.
        settings: settings of the run: shadows, people, seed.
        replaces: whether figures that were measured before are replaced; if not, only those of the same attack and
            part are.
    """
    before = () if replaces else read(home, model, version)
    measured = {(leak.attack, leak.part) for leak in leaks}
    every = [*(leak for leak in before if (leak.attack, leak.part) not in measured), *leaks]
    path = record_of(home, model, version)
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "format": FORMAT,
        "model": model,
        "version": version,
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "settings": dict(settings),
        "leaks": to_json(every),
    }
    write_whole(path, json.dumps(content, ensure_ascii=False, indent=1) + "\n")
    return path


def read(home: Home, model: str, version: int) -> tuple[Leak, ...]:
    """Reads the figures of a version; none if nothing was measured, or if the file is damaged."""
    try:
        return from_json(json.loads(record_of(home, model, version).read_text())["leaks"])
    except (OSError, ValueError, TypeError, KeyError):
        return ()
