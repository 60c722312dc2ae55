"""From answers to raw files and back, in a small world, against a naive search; logs that do not have an answer."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from feature_repo.errors import BundleError, InputError, StoreError
from feature_repo.home import Home
from feature_repo.manifest import Service, View
from refrain.lineage.compiled import find, lineage_of
from refrain.lineage.feature_rows import feature_rows
from refrain.lineage.graph import Lineage, Node
from refrain.lineage.logs import ServedAnswer, find_answer, newest
from refrain.lineage.served import answers_from, raw_file, trace, version_of
from tests import worlds
from transforms.raw.read import scan

DAY = 86_400_000_000
SERVICES = ("recommendation_v1", "listener_v1", "session_v1")


@pytest.fixture(scope="module")
def logged(world: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Home, list[ServedAnswer]]]:
    """A copy of the small world with logged answers of a few listeners, days apart."""
    folder = Home(tmp_path_factory.mktemp("logged") / "world")
    with pytest.MonkeyPatch.context() as patch:
        for _ in worlds.copied(world, folder, patch, "mlflow"):
            plays = scan(folder, "plays").select("user_id", "track_id", "event_timestamp").collect()
            end = plays["event_timestamp"].max()
            assert isinstance(end, datetime)
            for number in range(6):
                at = end - timedelta(days=2.5 * number)
                past = plays.filter(pl.col("event_timestamp") < at)
                user, tracks = past["user_id"][number * 37], past["track_id"].unique(maintain_order=True)[:5].to_list()
                write_impression(folder, f"answer{number}", user, tracks, at)
            yield folder, newest(folder)


def write_impression(home: Home, id_: str, user: str, tracks: list[str], at: datetime, **more: object) -> Path:
    line = {
        "answer_id": id_,
        "at": round(at.timestamp() * 1e6),
        "user_id": user,
        "model": "recommendation:1",
        "strategy": "hybrid",
        "features": dict.fromkeys(SERVICES, "-"),
        "slots": [{"track_id": track} for track in tracks],
        **more,
    }
    file = home.impressions / f"date={at.date()}" / "1.jsonl"
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as handle:
        handle.write(json.dumps(line) + "\n")
    return file


def test_the_rows_are_the_newest_before_the_answer(logged: tuple[Home, list[ServedAnswer]]) -> None:
    home, answers = logged
    for answer in answers[:3]:
        traced = trace(home, lineage_of(home), answer)
        (row,) = traced.rows.filter(pl.col("view") == "user_listening").to_dicts()
        table = pl.read_parquet(home.features("user_listening") / "date=*" / "*.parquet")
        own = table.filter(
            (pl.col("user_id") == answer.keys["user_id"][0])
            & (pl.col("event_timestamp").dt.timestamp("us") <= answer.at)
            & (pl.col("created_timestamp").dt.timestamp("us") <= answer.at)
        )
        assert row["event_timestamp"] == own["event_timestamp"].dt.timestamp("us").max()
        assert row["path"].startswith("features/user_listening/") and len(row["digest"]) == 64
        tracks = traced.rows.filter(pl.col("view") == "track_popularity")
        assert set(tracks["key"]) <= {f"track_id={track}" for track in answer.keys["track_id"]}
        assert tracks.height > 0 and {"artist_popularity", "user_artist_affinity"} <= set(traced.rows["view"])


def test_the_raw_files_are_those_with_events_in_the_windows(logged: tuple[Home, list[ServedAnswer]]) -> None:
    home, answers = logged
    lineage = lineage_of(home)
    service_of_one_view = ServedAnswer(
        "-", answers[0].at, "features", "", ("session_v1",), {"user_id": answers[0].keys["user_id"]}, Path()
    )
    traced = trace(home, lineage, service_of_one_view)
    (row,) = traced.rows.to_dicts()
    assert row["view"] == "user_session"
    plays = scan(home, "plays").filter(pl.col("user_id") == answers[0].keys["user_id"][0]).collect()
    counted = plays.filter(pl.col("event_timestamp").dt.timestamp("us") <= row["event_timestamp"])
    days = counted.group_by(pl.col("event_timestamp").dt.date().cast(pl.String)).len()
    # intensity and idle seconds count since the beginning, so all days of the listener are there
    expected = {f"raw/plays/tenant=default/date={day}/part-0.parquet": count for day, count in days.iter_rows()}
    assert dict(traced.raw.select("path", "rows").iter_rows()) == expected


def test_events_before_the_windows_do_not_count(logged: tuple[Home, list[ServedAnswer]]) -> None:
    home, answers = logged
    user, at = answers[0].keys["user_id"], answers[0].at
    answer = ServedAnswer("-", at, "features", "", ("user_plays_v1",), {"user_id": user}, Path())  # plays of a day
    traced = trace(home, lineage_of(home), answer)
    (row,) = traced.rows.to_dicts()
    time = pl.col("event_timestamp").dt.timestamp("us")
    plays = scan(home, "plays").filter(pl.col("user_id") == user[0]).with_columns(time=time).collect()
    inside = plays.filter((plays["time"] < row["event_timestamp"]) & (plays["time"] >= row["event_timestamp"] - DAY))
    assert traced.raw["rows"].to_list() == ([inside.height] if inside.height else [])
    assert plays.height > inside.height


def test_there_and_back(logged: tuple[Home, list[ServedAnswer]]) -> None:
    home, answers = logged
    lineage = lineage_of(home)
    files = {answer.id: set(trace(home, lineage, answer).raw["path"].to_list()) for answer in answers}
    paths = sorted(set().union(*files.values()))
    for path in paths[:: max(len(paths) // 6, 1)]:
        ids = {answer.id for answer in answers_from(home, lineage, str(home.root / path))}
        assert ids == {id_ for id_, own in files.items() if path in own}, path


def test_a_recommendation_names_its_version_and_training_set(logged: tuple[Home, list[ServedAnswer]]) -> None:
    home, answers = logged
    traced = trace(home, lineage_of(home), answers[0])
    manifest = json.loads((home.bundles("recommendation") / "1" / "manifest.json").read_text())
    assert traced.version == "recommendation:1" and traced.facts["training_set"] == manifest["training_set"]
    assert any(name.startswith("training set ") for name in traced.facts) and traced.missing == ()


def test_versions_and_aliases_are_in_the_graph(logged: tuple[Home, list[ServedAnswer]]) -> None:
    home, _ = logged
    lineage = lineage_of(home)
    above = lineage.upstream(Node("alias", "recommendation@champion"))
    assert {Node("version", "recommendation:1"), Node("column", "plays.user_id")} <= set(above)
    assert any(node.kind == "training set" for node in above)
    with pytest.raises(
        BundleError, match=r"recommendation:1; found recommendation:7.*refrain model list recommendation"
    ):
        find(lineage, "recommendation:7")


def test_an_answer_of_a_deleted_version_says_so(logged: tuple[Home, list[ServedAnswer]]) -> None:
    home, answers = logged
    gone = ServedAnswer(**{**answers[0].__dict__, "model": "recommendation:9"})
    traced = trace(home, lineage_of(home), gone)
    assert traced.missing == ("the bundle of recommendation:9 was deleted: refrain model list recommendation",)
    assert traced.rows.height > 0


def test_a_prediction_is_of_the_champion_of_its_moment(home: Home) -> None:
    folder = home.bundles("skip_model")
    folder.mkdir(parents=True)
    lines = [{"version": number, "at": f"2026-02-0{number}T00:00:00+00:00"} for number in (1, 2)]
    (folder / "promotions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))

    def version_at(day: int) -> str:
        at = round(datetime(2026, 2, day, 12, tzinfo=UTC).timestamp() * 1e6)
        return version_of(home, ServedAnswer("-", at, "prediction", "skip_model", (), {}, Path()))

    assert [version_at(day) for day in (1, 2, 3)] == ["skip_model:1", "skip_model:2", "skip_model:2"]
    at = round(datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1e6)
    assert version_of(home, ServedAnswer("-", at, "prediction", "skip_model", (), {}, Path())) == ""


def test_an_act_of_the_audit_log_is_an_answer(home: Home) -> None:
    day = home.audit_log / "date=2026-02-01"
    day.mkdir(parents=True)
    act = {"at": "2026-02-01T00:00:00+00:00", "act": "prediction", "request_id": "r1", "model": "skip_model"}
    refused = {"at": "2026-02-01T00:00:01+00:00", "act": "refused", "request_id": "r2"}
    lines = [json.dumps({**act, "keys": {"user_id": ["u1"]}}), json.dumps(refused), '["no object"]', "{"]
    (day / "1.jsonl").write_text("\n".join(lines))
    assert find_answer(home, "r1").keys == {"user_id": ("u1",)}
    assert [answer.id for answer in newest(home)] == ["r1"]
    with pytest.raises(InputError, match="audit_log has 2026-02-01 to 2026-02-01.*refrain lineage answers"):
        find_answer(home, "r2")


def test_packed_exposures_have_answers(home: Home) -> None:
    from transforms.logged.flat import pack

    day = home.exposures / "date=2026-02-01"
    day.mkdir(parents=True)
    line = {"at": 1_769_904_000_000_000, "user_id": "u1", "answer_id": "a1", "experiment": "e", "variant": "x"}
    (day / "1.jsonl").write_text(json.dumps(line) + "\n")
    pack(home)
    assert find_answer(home, "a1").at == line["at"]


@pytest.mark.parametrize("id_", ["nobody", "", "answer", 'x"y'])
def test_an_id_that_no_log_has_is_an_error_with_the_days(logged: tuple[Home, list[ServedAnswer]], id_: str) -> None:
    with pytest.raises(InputError, match="impressions has .* to .*refrain lineage answers"):
        find_answer(logged[0], id_)


def test_without_logs_the_next_command_logs(home: Home) -> None:
    with pytest.raises(InputError, match="nothing is logged; next: REFRAIN_LOG_IMPRESSIONS=1 refrain serve"):
        find_answer(home, "a")


def test_a_line_that_was_cut_off_is_damaged_and_the_others_are_read(home: Home) -> None:
    at = datetime(2026, 2, 1, tzinfo=UTC)
    write_impression(home, "whole", "u1", ["t1"], at)
    file = write_impression(home, "cut", "u1", ["t1"], at)
    file.write_bytes(file.read_bytes()[:-30])
    assert find_answer(home, "whole").id == "whole"
    assert [answer.id for answer in newest(home)] == ["whole"]
    with pytest.raises(StoreError, match=r"damaged one in .*1\.jsonl, line 2.*refrain lineage answers"):
        find_answer(home, "cut")


def test_a_packed_log_that_is_damaged_is_named(home: Home) -> None:
    day = home.exposures / "date=2026-02-01"
    day.mkdir(parents=True)
    (day / "packed-rows-1.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(StoreError, match=r"packed-rows-1\.parquet.*mv "):
        find_answer(home, "a1")


def test_a_raw_file_is_named_by_table_and_day_or_by_path(logged: tuple[Home, list[ServedAnswer]]) -> None:
    home, _ = logged
    day = min(path.name for path in home.raw("plays").glob("date=*"))
    by_day = raw_file(home, f"plays/{day}")
    assert (
        by_day == raw_file(home, str(home.raw("plays") / day)) == ("plays", home.raw("plays") / day / "part-0.parquet")
    )
    assert raw_file(home, "tracks")[0] == "tracks"
    with pytest.raises(InputError, match="plays has 2026-01-01 to"):
        raw_file(home, "plays/date=1999-01-01")
    with pytest.raises(InputError, match="refrain lineage list"):
        raw_file(home, "nothing/date=2026-01-01")
    with pytest.raises(InputError):
        raw_file(home, "/etc/passwd")


def test_the_declared_part_is_kept_until_the_manifest_changes(
    logged: tuple[Home, list[ServedAnswer]], monkeypatch: pytest.MonkeyPatch
) -> None:
    home, _ = logged
    first = lineage_of(home)

    def declared(*_: object) -> Lineage:
        raise AssertionError("read again")

    monkeypatch.setattr("refrain.lineage.declared.declared_lineage", declared)
    again = lineage_of(home)
    assert (again.nodes, again.edges, again.facts) == (first.nodes, first.edges, first.facts)
    with pytest.raises(AssertionError, match="read again"):
        lineage_of(home, anew=True)
    kept = home.lineage.read_text()
    home.lineage.write_text(kept[: len(kept) // 2])  # killed half-way, by a tool that does not rename
    with pytest.raises(AssertionError, match="read again"):
        lineage_of(home)
    home.lineage.write_text(kept)


def test_a_damaged_bundle_is_named(home: Home) -> None:
    from refrain.lineage.recorded import recorded_lineage

    folder = home.bundles("skip_model") / "3"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text("{")
    with pytest.raises(BundleError, match=r"skip_model/3/manifest\.json.*refrain model promote skip_model 3"):
        recorded_lineage(home)


def write_acts(home: Home, *acts: dict[str, object]) -> None:
    day = home.audit_log / "date=2026-02-20"
    day.mkdir(parents=True, exist_ok=True)
    with (day / "1.jsonl").open("a") as handle:
        for second, act in enumerate(acts):
            handle.write(json.dumps({"at": f"2026-02-20T00:00:{second:02}+00:00", **act}) + "\n")


def views_by_key(home: Home, id_: str) -> dict[str, set[str]]:
    """Traces a logged answer: key → views with a row of it."""
    traced = trace(home, lineage_of(home), find_answer(home, id_))
    views: dict[str, set[str]] = {}
    for view, key in traced.rows.select("view", "key").iter_rows():
        views.setdefault(key, set()).add(view)
    return views


def test_an_answer_without_consent_has_no_rows_of_the_person(own_world: Home) -> None:
    users = scan(own_world, "plays").select("user_id").collect()["user_id"].unique(maintain_order=True)[:2].to_list()
    acts = [
        {"act": "recommendation", "request_id": "alone", "keys": {"user_id": users[:1]}},
        {"act": "withheld", "request_id": "alone", "keys": {"user_id": users[:1]}},
        {"act": "recommendation", "request_id": "batch", "keys": {"user_id": users[:1]}},
        {"act": "withheld", "request_id": "batch", "keys": {"user_id": users[:1]}},
        {"act": "recommendation", "request_id": "batch", "keys": {"user_id": users[1:]}},
        {"act": "features", "request_id": "rows", "service": "session_v1", "rows": 2, "keys": {"user_id": users}},
        {"act": "withheld", "request_id": "rows", "service": "session_v1", "rows": 1, "keys": {"user_id": users[:1]}},
        {"act": "withheld", "request_id": "nothing", "keys": {"user_id": users[:1]}},
    ]
    write_acts(own_world, *acts)
    assert views_by_key(own_world, "alone") == {}
    for id_ in ("batch", "rows"):
        views = views_by_key(own_world, id_)
        assert f"user_id={users[0]}" not in views
        assert "user_session" in views[f"user_id={users[1]}"]
    traced = trace(own_world, lineage_of(own_world), find_answer(own_world, "alone"))
    assert any("had not consented" in text and users[0] in text for text in traced.missing)
    listed = {answer.id for answer in newest(own_world)}
    assert {"alone", "batch", "rows"} <= listed and "nothing" not in listed
    with pytest.raises(InputError):
        find_answer(own_world, "nothing")


def test_a_batch_is_made_of_the_rows_of_all_its_people(own_world: Home) -> None:
    users = scan(own_world, "plays").select("user_id").collect()["user_id"].unique(maintain_order=True)[:3].to_list()
    write_acts(
        own_world,
        *({"act": "recommendation", "request_id": "batch", "keys": {"user_id": [user]}} for user in users),
    )
    assert {f"user_id={user}" for user in users} <= set(views_by_key(own_world, "batch"))
    (listed,) = [answer for answer in newest(own_world) if answer.id == "batch"]
    assert listed.keys["user_id"] == tuple(reversed(users))


def test_rows_whose_keys_repeat_are_all_traced(own_world: Home) -> None:
    """The audit log has each value of a key once: (u, a), (v, a), (v, b) are two users and two artists."""
    plays = scan(own_world, "plays").filter(pl.col("event_timestamp") < datetime(2026, 2, 20, tzinfo=UTC)).collect()
    pairs = plays.select("user_id", "artist_id").unique(maintain_order=True)
    first, second = pairs["user_id"].unique(maintain_order=True)[:2].to_list()
    own, other = (pairs.filter(pl.col("user_id") == user)["artist_id"].to_list() for user in (first, second))
    artists = sorted({own[0], *other[:2]})
    write_acts(
        own_world,
        {
            "act": "features",
            "request_id": "r",
            "service": "recommendation_v1",
            "rows": 3,
            "keys": {"user_id": [first, second], "artist_id": artists},
        },
    )
    views = views_by_key(own_world, "r")
    assert "user_listening" in views[f"user_id={first}"] and "user_listening" in views[f"user_id={second}"]
    assert {f"artist_id={artist}, user_id={second}" for artist in other[:2]} <= set(views)


def test_each_answer_has_the_rows_that_were_known_then(home: Home) -> None:
    """Answers are traced together (`lineage file`): what was written between two of them is in the later one alone."""
    days = [datetime(2026, 2, day, tzinfo=UTC) for day in (1, 2, 3, 4, 5)]
    known = {"first": (days[0], days[0]), "late": (days[1], days[3]), "correction": (days[0], days[3])}
    for name, (time, created) in known.items():
        rows = {"user_id": ["u"], "event_timestamp": [time], "created_timestamp": [created]}
        folder = home.features("made_up") / f"date={time.date()}"
        folder.mkdir(parents=True, exist_ok=True)
        pl.DataFrame(rows).write_parquet(folder / f"{name}.parquet")
    view = View("made_up", ("user_id",), ("STRING",), ())
    service = Service("s", "p", "-", (view,), (), ())
    moments = [days[2], days[4], days[0] - timedelta(hours=1)]
    answers = [
        ServedAnswer(str(at), round(at.timestamp() * 1e6), "features", "", ("s",), {"user_id": ("u",)}, Path())
        for at in moments
    ]
    together = [(row["answer"], Path(row["path"]).stem) for row in feature_rows(home, [service], answers).to_dicts()]
    assert together == [(0, "first"), (1, "late")]
    alone = [feature_rows(home, [service], [answer])["path"].to_list() for answer in answers]
    assert [[Path(path).stem for path in paths] for paths in alone] == [["first"], ["late"], []]
    day = replace(service, views=(replace(view, ttl=86_400.0),))  # a look-up on the third day takes the first for none
    fresh = [(row["answer"], Path(row["path"]).stem) for row in feature_rows(home, [day], answers).to_dicts()]
    assert fresh == []
    three_days = replace(service, views=(replace(view, ttl=3 * 86_400.0),))
    assert feature_rows(home, [three_days], answers)["answer"].to_list() == [0, 1]
