"""A play that several forms of export report is one play, in whatever order and parts the reports are imported."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feature_repo.home import Home
from tests.oracles.same_plays import PAYLOAD, Report, stored_plays
from transforms import parquet
from transforms.raw import commit
from transforms.raw.ingest import Batch, TableReport, ingest
from transforms.raw.read import scan

MIDNIGHT = datetime(2024, 3, 2, tzinfo=UTC)
COLUMNS = ("event_timestamp", "created_timestamp", "user_id", "track_id", *PAYLOAD)
SCHEMA = {"ms_played": pl.Int64, "precision_s": pl.Int64, "skipped": pl.Boolean} | dict.fromkeys(
    ("artist_id", "context", "device", "recording", "reported_by"), pl.String
)


def report(form: str | None, seconds: float, **more: Any) -> Report:
    """A report of a play that started ``seconds`` after midnight; minutes are cut."""
    precision = {"spotify account data": 60, "lastfm csv": 60}.get(form or "")
    cut = seconds - seconds % 60 if precision else seconds
    moment = MIDNIGHT + timedelta(seconds=cut)
    row = dict.fromkeys(COLUMNS) | {"user_id": "ann", "track_id": form or "live", "recording": "song"}
    row |= {"event_timestamp": moment, "created_timestamp": moment, "reported_by": form, "precision_s": precision}
    return row | more


def import_reports(home: Home, *reports: Report) -> TableReport:
    rows = pl.DataFrame(list(reports), schema_overrides=SCHEMA, infer_schema_length=None)
    return ingest(home, "test", [Batch("plays", rows)]).tables["plays"]


def stored(home: Home) -> list[Report]:
    order = ["event_timestamp", "user_id", "track_id"]
    return scan(home, "plays").select(COLUMNS).collect().sort(order).to_dicts()


def files(home: Home) -> dict[str, bytes]:
    folder = home.raw("plays")
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob(parquet.PART))}


def minutes(*seconds: float, **more: Any) -> list[Report]:
    """Reports of Spotify's account data, which moves equal rows apart by a microsecond."""
    rows = [report("spotify account data", at, **more) for at in seconds]
    for number, row in enumerate(rows):
        for name in ("event_timestamp", "created_timestamp"):
            row[name] -= timedelta(microseconds=number)
    return rows


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[list[Report], list[int], int]:
    """Reports in an order, where they are divided into imports, and the size of groups of days."""
    forms = ["spotify account data", "lastfm csv", "listenbrainz", "spotify extended history", None]
    second = st.integers(-30, 30).map(lambda steps: 7 * steps) | st.integers(-4, 2).map(lambda part: part * 43_170)
    reports = draw(
        st.lists(
            st.builds(
                report,
                st.sampled_from(forms),
                second,
                user_id=st.sampled_from(["ann", "ann", "ann", "bob"]),
                track_id=st.sampled_from(["t", "t", "u", "v"]),
                recording=st.sampled_from(["song", "song", "song", "other", None]),
                ms_played=st.sampled_from([None, None, 0, 4_000, 4_600, 200_000]),
            ),
            min_size=1,
            max_size=14,
        )
    )
    cuts = draw(st.lists(st.integers(0, len(reports)), max_size=3))
    return draw(st.permutations(reports)), sorted(cuts), draw(st.sampled_from([1, 1_000]))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(deliveries())
def test_any_delivery_stores_what_pairs_of_reports_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, delivery: tuple[list[Report], list[int], int]
) -> None:
    reports, cuts, group_rows = delivery
    monkeypatch.setattr(commit, "GROUP_ROWS", group_rows)
    shutil.rmtree(tmp_path / "home", ignore_errors=True)
    home, added = Home(tmp_path / "home"), 0
    for start, end in zip([0, *cuts], [*cuts, len(reports)], strict=True):
        if start < end:
            added += import_reports(home, *reports[start:end]).added
    expected = stored_plays(reports)
    assert stored(home) == expected
    assert added == len(expected)
    before = files(home)
    again = import_reports(home, *reports)
    assert (again.added, again.days_touched, files(home)) == (0, 0, before)


EXTENDED, SHORT, LASTFM, LISTENBRAINZ = (
    "spotify extended history",
    "spotify account data",
    "lastfm csv",
    "listenbrainz",
)


def forms(home: Home) -> list[tuple[float, str | None]]:
    """Second and form of each stored play."""
    return [((row["event_timestamp"] - MIDNIGHT).total_seconds(), row["reported_by"]) for row in stored(home)]


def test_the_precise_report_takes_the_place_of_the_coarse_one(home: Home) -> None:
    import_reports(home, *minutes(600, ms_played=200_000))
    counts = import_reports(home, report(EXTENDED, 642, ms_played=200_000))
    assert (forms(home), counts.added, counts.known) == ([(642, EXTENDED)], 0, 1)
    import_reports(home, *minutes(600, ms_played=200_000))
    assert forms(home) == [(642, EXTENDED)]


def test_two_plays_of_no_length_in_one_minute_stay_two(home: Home) -> None:
    import_reports(home, *minutes(600, 600, ms_played=0))
    import_reports(home, report(EXTENDED, 658, ms_played=0), report(EXTENDED, 659, ms_played=0))
    assert forms(home) == [(658, EXTENDED), (659, EXTENDED)]


def test_a_report_that_the_other_form_lacks_stays(home: Home) -> None:
    import_reports(home, *minutes(600, 600, 600, ms_played=0), report(EXTENDED, 659, ms_played=0))
    assert [form for _, form in forms(home)] == [SHORT, SHORT, EXTENDED]


def test_two_services_may_differ_by_seconds(home: Home) -> None:
    import_reports(home, report(EXTENDED, 607, ms_played=200_000), report(LISTENBRAINZ, 600))
    import_reports(home, report(EXTENDED, 1_211, ms_played=200_000), report(LISTENBRAINZ, 1_200))
    assert forms(home) == [(607, EXTENDED), (1_200, LISTENBRAINZ), (1_211, EXTENDED)]


def test_services_differ_by_less_than_the_play_lasted(home: Home) -> None:
    import_reports(home, report(EXTENDED, 607, ms_played=4_000), report(LISTENBRAINZ, 600))
    assert [form for _, form in forms(home)] == [LISTENBRAINZ, EXTENDED]


def test_equal_lengths_meet_first(home: Home) -> None:
    """Taken in order of time alone, the last report would be left with a play of another length."""
    coarse = [report(SHORT, 600, ms_played=ms, track_id=track) for track, ms in (("a", 1_800), ("b", 900), ("c", 0))]
    import_reports(home, *coarse)
    import_reports(home, *(report(EXTENDED, at, ms_played=ms) for at, ms in ((610, 900), (620, 0), (630, 1_800))))
    assert forms(home) == [(610, EXTENDED), (620, EXTENDED), (630, EXTENDED)]


def test_a_report_with_the_key_of_another_form_belongs_to_both(home: Home) -> None:
    """Two reports of one form are two plays, also if one of them has the key of a report of another form."""
    twin = [report(form, 600, track_id="t") for form in (LISTENBRAINZ, LASTFM)]
    import_reports(home, *twin, report(LASTFM, 600, track_id="u"))
    assert forms(home) == [(600, LISTENBRAINZ), (600, LASTFM)]


def test_other_lengths_are_other_plays(home: Home) -> None:
    import_reports(home, *minutes(600, ms_played=30_000), report(EXTENDED, 630, ms_played=50_000))
    assert [form for _, form in forms(home)] == [SHORT, EXTENDED]


@pytest.mark.parametrize(
    "change",
    [{"user_id": "bob"}, {"recording": "another"}, {"recording": None}, {"reported_by": None}, {"reported_by": SHORT}],
    ids=str,
)
def test_what_is_not_merged(home: Home, change: dict[str, Any]) -> None:
    """Another person, another recording or one without a name, a play that was pushed, and the same form."""
    import_reports(home, report(SHORT, 600), report(EXTENDED, 600) | change)
    assert len(stored(home)) == 2


def test_a_play_that_was_pushed_is_one_with_the_same_key(home: Home) -> None:
    import_reports(home, report(None, 600, track_id="t", recording=None), report(EXTENDED, 600, track_id="t"))
    assert len(stored(home)) == 1


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_play_around_midnight_is_one(home: Home, order: tuple[int, int]) -> None:
    """The coarse report is of 23:59, the precise one of 00:00: its day has no file then."""
    reports = [report(LASTFM, -60), report(LISTENBRAINZ, 4)]
    for number in order:
        import_reports(home, reports[number])
    assert forms(home) == [(4, LISTENBRAINZ)]
    assert list(files(home)) == ["date=2024-03-02/part-0.parquet"]


def test_a_chain_of_plays_is_followed_over_days(home: Home) -> None:
    """A day and a night on repeat: one more play at its start moves each match by one, up to the last report."""
    starts = range(-600, 87_000, 60)
    rows = [report(form, at + late) for at in starts for form, late in ((LISTENBRAINZ, 55), (LASTFM, 0))]
    import_reports(home, *rows, report(LASTFM, starts.stop))
    assert forms(home)[-1] == (starts.stop, LASTFM)
    import_reports(home, report(LISTENBRAINZ, starts.start + 50))
    assert forms(home)[-1] == (starts[-1] + 55, LISTENBRAINZ)
    assert len(stored(home)) == len(starts) + 1


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_a_third_form_may_bring_a_report_back(home: Home, order: tuple[int, ...]) -> None:
    """Of two reports by minutes one is left out; a precise one in between agrees with only one of them."""
    reports = [report(LASTFM, 600), report(SHORT, 660), report(LISTENBRAINZ, 600)]
    for number in order:
        import_reports(home, reports[number])
    assert stored(home) == stored_plays(reports)


@pytest.mark.parametrize("start", [600, 0], ids=["within a day", "around midnight"])
def test_what_was_left_out_comes_back_when_the_newest_version_meets_no_form(home: Home, start: int) -> None:
    """A play that was pushed has the key of a report, and no form: the coarse report is of another play then."""
    precise = report(LISTENBRAINZ, start + 5, track_id="t")
    import_reports(home, report(SHORT, start - 60), precise)
    assert forms(home) == [(start + 5, LISTENBRAINZ)]
    import_reports(home, report(None, start + 5, track_id="t"))
    assert forms(home) == [(start - 60, SHORT), (start + 5, None)]


def test_what_a_person_removed_stays_removed(home: Home) -> None:
    import_reports(home, report(EXTENDED, 600), report(SHORT, 600), report(LISTENBRAINZ, 601))
    path = home.raw("plays") / "date=2024-03-02" / parquet.PART
    pl.read_parquet(path, hive_partitioning=False).clear().write_parquet(path)
    import_reports(home, report(EXTENDED, 50_000), report(SHORT, 600, recording="another", track_id="u"))
    assert forms(home) == [(600, SHORT), (50_000, EXTENDED)]


@pytest.mark.parametrize("write", ["write_all", "unlink"])
@pytest.mark.parametrize("late", [False, True])
def test_an_import_that_was_killed_ends_as_one_that_was_not(
    home: Home, monkeypatch: pytest.MonkeyPatch, write: str, late: bool
) -> None:
    """Killed before the day files are written, or before the file of a day without plays is removed."""
    coarse = [report(LASTFM, -60), report(LASTFM, 86_400)]
    precise = [report(LISTENBRAINZ, 4), report(LISTENBRAINZ, 86_399), report(LISTENBRAINZ, 90_000)]
    import_reports(home, *coarse)
    with monkeypatch.context() as patch:
        if write == "unlink":
            patch.setattr(Path, "unlink", _killed)
        else:
            patch.setattr(parquet, "write_all", _killed_late if late else _killed)
        with pytest.raises(KeyboardInterrupt):
            import_reports(home, *precise)
    import_reports(home, *precise)
    assert stored(home) == stored_plays(coarse + precise)


def _killed(*_: Any, **__: Any) -> None:
    raise KeyboardInterrupt


def _killed_late(rows_by_path: dict[Path, pl.DataFrame], *_: Any) -> None:
    """Writes the first file alone."""
    path, rows = next(iter(rows_by_path.items()))
    path.parent.mkdir(parents=True, exist_ok=True)
    rows.write_parquet(path)
    raise KeyboardInterrupt


def test_a_known_source_is_read_again_after_its_plays_were_left_out(home: Home) -> None:
    def again() -> tuple[int, list[int]]:
        read: list[int] = []

        def batches() -> Iterator[Batch]:
            read.append(1)
            yield Batch("plays", pl.DataFrame([report(LASTFM, 600)], schema_overrides=SCHEMA))

        return ingest(home, "test", batches(), content="lastfm").tables["plays"].added, read

    assert again() == (1, [1])
    assert again() == (0, [])
    import_reports(home, report(LISTENBRAINZ, 630))
    assert again() == (0, [1])
    assert again() == (0, [])
    assert forms(home) == [(630, LISTENBRAINZ)]
