"""Events of OpenLineage: as the specification's own classes have them, in a file and at a collector on loopback."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from feature_repo.errors import InputError, StoreError
from feature_repo.extras import MissingExtra
from feature_repo.home import Home
from refrain.lineage.graph import Edge, Lineage, Node

AT = datetime(2026, 3, 1, tzinfo=UTC)
PLAYED, TILE = Node("column", "plays.ms_played"), Node("tile", "heard.time")
FEATURE, SERVICE = Node("feature", "heard:time_7d"), Node("service", "heard_v1")
SET, MODEL, VERSION = Node("training set", "abc"), Node("model", "m"), Node("version", "m:1")


@pytest.fixture
def lineage() -> Lineage:
    pairs = [(PLAYED, TILE), (TILE, FEATURE), (FEATURE, SERVICE), (SERVICE, SET), (SET, VERSION), (MODEL, VERSION)]
    edges = [Edge(*pair, "value") for pair in pairs] + [Edge(Node("column", "plays.user_id"), TILE, "group")]
    return Lineage([], edges, {VERSION: {"training_set": "abc" * 8}})


@contextmanager
def collector(status: int = 201, after: int = 0) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A collector that keeps what it is sent, and answers with a status from some event on."""
    events: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/api/v1/lineage"
            body = self.rfile.read(int(self.headers["Content-Length"]))
            is_taken = status == 201 or len(events) < after
            if is_taken:
                events.append(json.loads(body))
            self.send_response(201 if is_taken else status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", events
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize("url", ["http://", "https://:5000", "http://host:port", "http://[::1"])
def test_a_url_without_a_host_is_an_error(url: str) -> None:
    from refrain.lineage.openlineage import send

    with pytest.raises(InputError, match="URL of a collector"):
        send([], url)


def test_without_the_extra_the_error_says_what_to_install(
    home: Home, lineage: Lineage, monkeypatch: pytest.MonkeyPatch
) -> None:
    from refrain.lineage.openlineage import events

    monkeypatch.setitem(__import__("sys").modules, "openlineage.client.event_v2", None)
    with pytest.raises(MissingExtra, match=r"refrain\[openlineage\]"):
        list(events(home, lineage, AT))


class TestWithTheExtra:
    @pytest.fixture(autouse=True)
    def _installed(self) -> None:
        pytest.importorskip("openlineage.client", reason="needs the extra openlineage")

    def test_a_file_has_one_event_a_line(self, home: Home, lineage: Lineage, tmp_path: Path) -> None:
        from refrain.lineage.openlineage import events, send

        target = tmp_path / "lineage.jsonl"
        target.write_text("older")
        assert send(events(home, lineage, AT), str(target)) == 3
        view, service, version = map(json.loads, target.read_text().splitlines())
        (output,) = view["outputs"]
        assert output["name"] == "features/heard" and output["namespace"] == f"refrain://{home.project}"
        (field,) = output["facets"]["columnLineage"]["fields"]["time_7d"]["inputFields"][:1]
        assert (field["name"], field["field"]) == ("raw/plays", "ms_played")
        kinds = {
            one["field"]: (one["transformations"][0]["type"], one["transformations"][0]["subtype"])
            for one in output["facets"]["columnLineage"]["fields"]["time_7d"]["inputFields"]
        }
        assert kinds == {"ms_played": ("DIRECT", "TRANSFORMATION"), "user_id": ("INDIRECT", "GROUP_BY")}
        assert [one["name"] for one in view["inputs"]] == ["raw/plays"]
        (taken,) = service["outputs"][0]["facets"]["columnLineage"]["fields"].values()
        assert taken["inputFields"][0]["transformations"] == [{"type": "DIRECT", "subtype": "IDENTITY"}]
        assert version["eventType"] == "COMPLETE" and UUID(version["run"]["runId"])
        assert [one["name"] for one in version["inputs"]] == ["training_sets/abc"]
        assert version["outputs"][0]["facets"]["version"]["datasetVersion"] == "abc" * 8
        assert not list(tmp_path.glob(".partial*"))

    def test_every_event_of_music_is_one_of_the_specification(self, tmp_path: Path) -> None:
        """The classes are generated from the JSON schema of the specification and refuse other fields and texts."""
        from openlineage.client import event_v2
        from openlineage.client.generated.column_lineage_dataset import ColumnLineageDatasetFacet
        from openlineage.client.serde import Serde

        from feature_repo.contract import Contract
        from feature_repo.project import Project
        from refrain.lineage.declared import declared_lineage
        from refrain.lineage.openlineage import events

        lineage = declared_lineage(Contract(Project()))
        made = list(events(Home(tmp_path), lineage, AT))
        assert len(made) == len(lineage.of_kind("view")) + len(lineage.of_kind("service"))
        for event in made:
            fields = json.loads(Serde.to_json(event))
            assert (
                isinstance(event, event_v2.JobEvent) and {"eventTime", "producer", "schemaURL", "job"} <= fields.keys()
            )
            for output in fields["outputs"]:
                facets = output.get("facets", {})
                for facet in facets.values():
                    assert facet["_producer"] and facet["_schemaURL"].startswith("https://openlineage.io/spec/facets/")
                column_lineage = facets.get("columnLineage", {}).get("fields", {})
                assert column_lineage.keys() <= {field["name"] for field in facets.get("schema", {}).get("fields", ())}
                for field in column_lineage.values():
                    for source in field["inputFields"]:
                        assert {"namespace", "name", "field"} <= source.keys()
                        assert all(one["type"] in ("DIRECT", "INDIRECT") for one in source["transformations"])
        assert ColumnLineageDatasetFacet(fields={})._get_schema().endswith("/ColumnLineageDatasetFacet")

    def test_a_collector_is_sent_every_event(self, home: Home, lineage: Lineage) -> None:
        from refrain.lineage.openlineage import events, send

        with collector() as (url, received):
            assert send(events(home, lineage, AT), url) == 3
        assert [one["job"]["name"] for one in received] == ["build.heard", "service.heard_v1", "train.m"]

    def test_the_same_lineage_is_the_same_run(self, home: Home, lineage: Lineage) -> None:
        from refrain.lineage.openlineage import events

        first, again = (list(events(home, lineage, AT))[-1] for _ in range(2))
        assert first.run.runId == again.run.runId  # type: ignore[union-attr]

    @pytest.mark.parametrize("status", [400, 404])
    def test_a_collector_that_refuses_is_an_error_with_the_count(
        self, home: Home, lineage: Lineage, status: int
    ) -> None:
        from refrain.lineage.openlineage import events, send

        with (
            collector(status, after=1) as (url, received),
            pytest.raises(StoreError, match="after 1 events.*export http"),
        ):
            send(events(home, lineage, AT), url)
        assert len(received) == 1

    def test_a_collector_that_is_not_there_is_an_error(self, home: Home, lineage: Lineage) -> None:
        from refrain.lineage.openlineage import events, send

        with pytest.raises(StoreError, match="ConnectionError after 0 events"):
            send(events(home, lineage, AT), "http://127.0.0.1:9")

    def test_a_folder_that_is_not_there_is_an_error(self, home: Home, lineage: Lineage, tmp_path: Path) -> None:
        from refrain.lineage.openlineage import events, send

        with pytest.raises(InputError, match="refrain lineage export"):
            send(events(home, lineage, AT), str(tmp_path / "nowhere" / "x.jsonl"))
