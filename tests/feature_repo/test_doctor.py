"""The doctor finds what does not agree, names what mends it, and finds a mended folder clean."""

from datetime import timedelta

import numpy as np
import polars as pl
import pyarrow as pa

from feature_repo import clock, retractions
from feature_repo.doctor import Examination, examine, lines
from feature_repo.home import Home
from feature_repo.manifest import compile_manifest
from feature_repo.materialize import materialize
from feature_repo.packed import entity_key
from feature_repo.packed.encode import MOMENT, encode
from feature_repo.packed.schema import Schema
from feature_repo.store import open_store
from feature_repo.views import FEATURE_TABLES
from feature_repo.windowed import WINDOWED
from tests.live import server_of
from tests.processes import run_python
from tests.worlds import apply
from transforms.batch.build import build

VIEW = "user_listening"


def look(home: Home, *views: str) -> Examination:
    return examine(home, clock.now(), sample=400, views=views or (VIEW, "user_session", "track_catalogue"))


def places(examination: Examination) -> set[str]:
    return {finding.where for finding in examination.faults}


def put(home: Home, view: str, entity: bytes, days: float, plays: int) -> None:
    """A row as somebody with a wrong clock or another definition would have written it."""
    schema = Schema.of(view, WINDOWED[VIEW].fields)
    at = pa.array(np.array([clock.microseconds(clock.now() + timedelta(days=days))])).view(MOMENT)
    columns = {name: pa.array([plays]) for name, dtype in WINDOWED[VIEW].fields if dtype == "Int64"}
    server = server_of(home)
    server.send([("HSET", entity_key.schemas(home.project, view), f"{schema.fingerprint:08x}", schema.text)], [b"x"])
    name = entity_key.prefix(home.project, view) + entity + b"}"
    server.send([("SET", name, encode(schema, columns, at, at)[0])], [name])


def test_a_folder_is_found_clean_and_what_is_wrong_is_found(own_world: Home) -> None:
    apply(own_world)
    build(own_world)
    materialize(own_world, None, say=lambda text: None)
    clean = look(own_world, *FEATURE_TABLES)
    assert not clean.faults, list(lines(clean))
    assert clean.values > 1_000
    assert list(lines(clean))[-1].endswith("nothing to mend")

    put(own_world, VIEW, b"u000001", days=1, plays=77)
    put(own_world, "gone_view", b"u000001", days=-1, plays=77)
    wrong = look(own_world)
    assert places(wrong) == {VIEW, "gone_view"}
    assert any("row of the future" in finding.found for finding in wrong.faults)
    put(own_world, VIEW, b"u000001", days=0, plays=77)
    put(own_world, VIEW, b"nobody", days=0, plays=77)
    wrong = look(own_world)
    assert "2 of" in next(finding.found for finding in wrong.faults if finding.where == VIEW)
    done = run_python("-m", "feature_repo", "doctor", VIEW, "--sample", "40")
    assert (done.returncode, "materialize --anew" in done.stdout) == (1, True), done.stdout + done.stderr
    materialize(own_world, None, say=lambda text: None, anew=True)
    assert not look(own_world).faults

    own_world.manifest.unlink()
    assert places(look(own_world)) == {"manifest"}
    compile_manifest(open_store(own_world), own_world)
    day = next(own_world.raw("plays").rglob("*.parquet"))
    day.touch()
    assert places(look(own_world)) == {"raw tables"}
    build(own_world)
    retractions.note(own_world, VIEW, pl.DataFrame({"user_id": ["u000001"]}), 1)
    assert places(look(own_world)) == {VIEW}
    materialize(own_world, None, say=lambda text: None)
    assert not look(own_world).faults
    next(own_world.features(VIEW).rglob("part-0.parquet")).write_bytes(b"half")
    assert VIEW in places(look(own_world))
