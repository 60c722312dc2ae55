"""Processor time of a lookup for callers who see everything, and for those of whom columns and rows are kept.

Looks up ``listener_v1`` in the data folder of the environment, for 1 and 100 listeners, and reads all values. Cases are
measured in turns, so that a busy machine slows all of them alike.

    REFRAIN_HOME=data python -m benchmarks.access_cost
"""

import json
import time
from statistics import median

from benchmarks.surroundings import MACHINE
from feature_repo.access.compiled import CompiledAccess
from feature_repo.access.settings import read_settings
from feature_repo.access.viewer import Viewer
from feature_repo.home import Home
from feature_repo.manifest import load_service
from inference.features import OnlineFeatures
from inference.features.access import ServiceAccess

SERVICE, ROUNDS, REPEATS = "listener_v1", 15, 40
ROLES = {
    "whole": {"services": ["*"], "seen": ["*"]},
    "refused": {"services": ["*"], "seen": ["*"], "refused": ["user_profile"]},
    "null": {"services": ["*"], "seen": ["*"], "masked": {"user_profile:gender": "null"}},
    "pseudonym": {"services": ["*"], "seen": ["*"], "masked": {"user_profile:country": "pseudonym"}},
    "own rows": {"services": ["*"], "seen": ["*"], "rows": {"user_id": "own"}},
    "rows by country": {"services": ["*"], "seen": ["*"], "rows": {"user_profile:country": ["SE"]}},
}


def main() -> None:
    """Print one line of JSON: microseconds of a lookup by case and number of rows."""
    home = Home.from_env()
    service = load_service(home, SERVICE)
    roles = {name.replace(" ", "_"): role for name, role in ROLES.items()}
    views = {view.name: view for view in service.views if view.name == "user_profile"}
    marks = {name: ["personal"] for name, _ in service.features}
    compiled = CompiledAccess(read_settings({"roles": roles}), marks, views, b"k" * 32)
    lookup = OnlineFeatures(SERVICE, home)
    plan, cache, check, _ = lookup._state
    lookup._state = (plan, cache, check, ServiceAccess(compiled, service, lookup._server))
    viewers = {"no rules": None, **{name: Viewer("k", frozenset({name}), own_id="u000000") for name in roles}}
    times: dict[tuple[str, int], list[float]] = {}
    for rows in (1, 100):
        keys = {"user_id": [f"u{number:06}" for number in range(rows)]}
        for _ in range(ROUNDS):
            for name, viewer in viewers.items():
                started = time.process_time()
                for _ in range(REPEATS if rows == 1 else 4):
                    answer = lookup.get(keys, viewer=viewer)
                    for values in answer.values.values():
                        assert len(values) == rows
                elapsed = time.process_time() - started
                times.setdefault((name, rows), []).append(elapsed / (REPEATS if rows == 1 else 4) * 1e6)
    cases = [
        {"case": f"{name.replace('_', ' ')}, {rows} rows", "metric": "cpu_microseconds", "value": round(median(values))}
        for (name, rows), values in times.items()
    ]
    print(json.dumps({"benchmark": "access_cost", "machine": MACHINE, "cases": cases}))


if __name__ == "__main__":
    main()
