"""The doctor finds inconsistencies, names the command that repairs each, and finds no faults after the repair."""

from datetime import timedelta

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from feature_repo import clock, retractions
from feature_repo.compile_manifest import compile_manifest
from feature_repo.doctor import Examination, examine, lines
from feature_repo.home import Home
from feature_repo.materialize import materialize
from feature_repo.packed import entity_key
from feature_repo.packed.encode import MOMENT, encode
from feature_repo.packed.schema import Schema
from feature_repo.store import open_store
from tests.live import server_of
from tests.music import FEATURE_TABLES, WINDOWED
from tests.processes import run_python
from tests.worlds import apply
from transforms.batch.build import build

VIEW = "user_listening"


def examine_views(home: Home, *views: str) -> Examination:
    return examine(home, clock.now(), sample=400, views=views or (VIEW, "user_session", "track_catalogue"))


def fault_locations(examination: Examination) -> set[str]:
    return {finding.where for finding in examination.faults}


def put_row(home: Home, view: str, entity: bytes, days: float, plays: int) -> None:
    """Writes an online row as a client with a wrong clock or an outdated definition would."""
    schema = Schema.of(view, WINDOWED[VIEW].fields)
    times = pa.array(np.array([clock.microseconds(clock.now() + timedelta(days=days))])).view(MOMENT)
    columns = {name: pa.array([plays]) for name, dtype in WINDOWED[VIEW].fields if dtype == "Int64"}
    server = server_of(home)
    server.send([("HSET", entity_key.schemas(home.project, view), f"{schema.fingerprint:08x}", schema.text)], [b"x"])
    redis_key = entity_key.prefix(home.project, view) + entity + b"}"
    server.send([("SET", redis_key, encode(schema, columns, times, times)[0])], [redis_key])


@pytest.mark.journeys
def test_a_folder_is_found_clean_and_what_is_wrong_is_found(own_world: Home) -> None:
    apply(own_world)
    build(own_world)
    materialize(own_world, None, say=lambda text: None)
    examination = examine_views(own_world, *FEATURE_TABLES)
    assert not examination.faults, list(lines(examination))
    assert examination.values > 1_000
    assert list(lines(examination))[-1].endswith("nothing to mend")

    put_row(own_world, VIEW, b"u000001", days=1, plays=77)
    put_row(own_world, "gone_view", b"u000001", days=-1, plays=77)
    faulty = examine_views(own_world)
    assert fault_locations(faulty) == {VIEW, "gone_view"}
    assert any("row of the future" in finding.found for finding in faulty.faults)
    put_row(own_world, VIEW, b"u000001", days=0, plays=77)
    put_row(own_world, VIEW, b"nobody", days=0, plays=77)
    faulty = examine_views(own_world)
    assert "2 of" in next(finding.found for finding in faulty.faults if finding.where == VIEW)
    process = run_python("-m", "feature_repo", "doctor", VIEW, "--sample", "40")
    assert (process.returncode, "materialize --anew" in process.stdout) == (1, True), process.stdout + process.stderr
    materialize(own_world, None, say=lambda text: None, anew=True)
    assert not examine_views(own_world).faults

    own_world.manifest.unlink()
    assert fault_locations(examine_views(own_world)) == {"manifest"}
    compile_manifest(open_store(own_world), own_world)
    day_file = next(own_world.raw("plays").rglob("*.parquet"))
    day_file.touch()
    assert fault_locations(examine_views(own_world)) == {"raw tables"}
    build(own_world)
    retractions.note(own_world, VIEW, pl.DataFrame({"user_id": ["u000001"]}), 1)
    assert fault_locations(examine_views(own_world)) == {VIEW}
    materialize(own_world, None, say=lambda text: None)
    assert not examine_views(own_world).faults
    next(own_world.features(VIEW).rglob("part-0.parquet")).write_bytes(b"half")
    assert VIEW in fault_locations(examine_views(own_world))
