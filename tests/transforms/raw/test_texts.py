"""Import of texts: masked before they are stored, analysed once, and aggregated to point-in-time features."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_repo.errors import InputError
from feature_repo.home import Home
from tests.music import FORMATS, TABLES
from transforms import parquet
from transforms.batch import scored_texts
from transforms.batch.features.texts import OPINIONS, Written, gather, text_rows
from transforms.batch.scored_texts import ScoredTexts
from transforms.pure.text.analysis import TextModels
from transforms.pure.text.bundles import ServedModels, served_models
from transforms.raw.importers.sst2 import untokenized
from transforms.raw.ingest import Batch, ingest
from transforms.raw.read import scan

T0 = datetime(2026, 1, 1, 12, tzinfo=UTC)
SECRET = "ann@example.org"
NO_MODELS = ServedModels(TextModels(), {}, "none", 0)


def text_row(number: int, text: str | None, **more: Any) -> dict[str, Any]:
    identity = {"text_id": f"x{number}", "entity": "track", "entity_id": "t1", "kind": "review"}
    return {**identity, "text": text, "event_timestamp": T0 + timedelta(hours=number), **more}


def ingest_texts(home: Home, rows: list[dict[str, Any]]) -> None:
    ingest(home, "test", [Batch("texts", pl.DataFrame(rows, infer_schema_length=None))])


def stored_bytes(folder: Path) -> bytes:
    return b"".join(
        pl.read_parquet(path, hive_partitioning=False).write_json().encode() for path in folder.rglob("*.parquet")
    )


def test_nothing_that_tells_who_somebody_is_reaches_the_disk(home: Home, tmp_path: Path) -> None:
    ingest_texts(
        home,
        [
            text_row(1, f"mail me at {SECRET}"),
            text_row(2, f"refused, {SECRET}", kind="no such kind"),
            text_row(3, f"<b>{SECRET}</b>", entity="planet"),
        ],
    )
    broken_file = tmp_path / "texts.jsonl"
    broken_file.write_text(
        json.dumps({"text": f"fine {SECRET}"})
        + f'\n{{"text": "cut off {SECRET}\n'
        + json.dumps({"text": 7, "by": SECRET})
    )
    report = ingest(home, "texts", FORMATS["texts"].read(broken_file))
    assert report.tables["texts"].quarantined == 2
    stored = stored_bytes(home.root)
    assert SECRET.encode() not in stored
    assert stored.count(b"[EMAIL]") == 6
    assert scan(home, "texts").collect().height == 2


def test_texts_are_cleaned_and_their_language_is_named(home: Home) -> None:
    ingest_texts(
        home,
        [
            text_row(1, "<p>Das ist ein wunderbares Lied und ich mag es sehr</p>"),
            text_row(2, "what a song", language="xx"),
            text_row(3, "\x00 \u200b"),
            text_row(4, None),
        ],
    )
    stored = scan(home, "texts").collect().sort("text_id")
    assert stored["text"].to_list() == ["Das ist ein wunderbares Lied und ich mag es sehr", "what a song"]
    assert stored["language"].to_list() == ["de", "xx"]
    refused = pl.concat([pl.read_parquet(path) for path in home.quarantine("texts").glob("*.parquet")])
    assert sorted(refused["reason"].to_list()) == ["text is empty", "text is missing"]


def test_a_file_of_texts_with_labels(home: Home, tmp_path: Path) -> None:
    file = tmp_path / "reviews.csv"
    file.write_text(
        "text,entity,entity_id,kind,event_timestamp,sentiment,emotion\n"
        '"a gem, truly",track,t9,review,2026-01-02T03:04:05Z,positive,joy\n'
        "a mess,track,t9,review,1767225600,negative,\n"
        "when,track,t9,review,someday,positive,\n"
    )
    for _ in range(2):
        report = ingest(home, "texts", FORMATS["texts"].read(file))
    assert report.tables["texts"].added == 0
    assert report.tables["texts"].reasons == {"a time that cannot be read": 1}
    stored = scan(home, "texts").collect().sort("event_timestamp")
    assert stored["text"].to_list() == ["a mess", "a gem, truly"]
    labels = scan(home, "text_labels").collect().sort("task", "label")
    assert labels.select("task", "label").rows() == [
        ("emotion", "joy"),
        ("sentiment", "negative"),
        ("sentiment", "positive"),
    ]
    assert set(labels["text_id"]) == set(stored["text_id"])


@pytest.mark.parametrize(
    ("name", "content"),
    [("texts", b"title,year\n1,2\n"), ("texts", b""), ("sst2", b"no tab\nin here\n"), ("sst2", b"")],
)
def test_a_file_of_another_format_is_refused(home: Home, tmp_path: Path, name: str, content: bytes) -> None:
    file = tmp_path / "file.tsv"
    file.write_bytes(content)
    with pytest.raises(InputError):
        list(FORMATS[name].read(file))


def test_the_treebank_is_read_as_people_write(home: Home, real_data: Path) -> None:
    folder = real_data / "sst2"
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    ingest(home, "sst2", FORMATS["sst2"].read(folder / "dev.tsv"))
    stored = scan(home, "texts").collect()
    assert 6_600 < stored.height <= 6_735
    assert not stored["text"].str.contains(r" n't\b| 's\b| \.$").any()
    labels = scan(home, "text_labels").collect()
    assert 0.5 < (labels["label"] == "positive").mean() < 0.6
    assert untokenized("it 's n't") == "it'sn't"


def test_a_text_is_read_once_and_again_when_the_models_change(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    analysed: list[str] = []
    analyze = scored_texts.analyze
    monkeypatch.setattr(scored_texts, "analyze", lambda texts, models: analysed.extend(texts) or analyze(texts, models))
    first = scored_texts.score_texts(home, ["a song", "a tune", "a song"], NO_MODELS)
    assert sorted(analysed) == ["a song", "a tune"]
    second = scored_texts.score_texts(home, ["a tune", "another"], NO_MODELS)
    assert analysed[2:] == ["another"]
    assert set(second.numbers) == {"a tune", "another"}
    assert first.table["words"].to_list() == [2, 2]
    folders = list(home.tiles("text_scores").iterdir())
    scored_texts.score_texts(home, ["a song"], ServedModels(TextModels(), {}, "others", 0))
    assert analysed[3:] == ["a song"]
    assert not folders[0].exists()


def test_a_run_that_is_killed_loses_one_file_at_the_most(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"text {number}" for number in range(10)]
    monkeypatch.setattr(scored_texts, "KEPT", 4)
    analyze, calls = scored_texts.analyze, []

    def analyze_or_interrupt(batch: list[str], models: TextModels) -> Any:
        calls.append(list(batch))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return analyze(batch, models)

    monkeypatch.setattr(scored_texts, "analyze", analyze_or_interrupt)
    with pytest.raises(KeyboardInterrupt):
        scored_texts.score_texts(home, texts, NO_MODELS)
    monkeypatch.setattr(
        scored_texts, "analyze", lambda batch, models: calls.append(list(batch)) or analyze(batch, models)
    )
    assert len(scored_texts.score_texts(home, texts, NO_MODELS).numbers) == 10
    assert calls[3:] == [texts[8:]]


TEXT_EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["t1", "t2", None]),
        st.sampled_from(["a1", None]),
        st.sampled_from(["review", "lyrics", "title", "tag"]),
        st.integers(0, 4),
        st.integers(0, 4 * 86_400),
        st.integers(0, 100_000),
    ),
    max_size=14,
)


@given(TEXT_EVENTS)
def test_rows_are_what_was_written_before_them(events: list[tuple]) -> None:
    rng = np.random.default_rng(0)
    numbers = rng.random((5, 4))
    numbers[1, 0] = np.nan
    vectors = rng.normal(size=(5, 3)).astype(np.float32)
    vectors[2] = np.nan
    scored = ScoredTexts(
        {f"w{number}": number for number in range(5)},
        pl.DataFrame(
            {
                "language": ["en", "de", "und", "en", "fr"],
                "words": [3, 2, 0, 5, 1],
                "sentiment": numbers[:, 0],
                "subjectivity": numbers[:, 1],
                "explicitness": numbers[:, 2],
                "repetition": numbers[:, 3],
                "rhyme_density": numbers[:, 3],
                "vocabulary_richness": numbers[:, 3],
            }
        ),
        np.empty((5, 0), np.float32),
        vectors,
        7,
        0,
    )
    rows = pl.DataFrame(
        [
            (track, artist, kind, f"w{text}", T0 + timedelta(seconds=second), T0 + timedelta(seconds=second + delay))
            for track, artist, kind, text, second, delay in events
        ],
        schema={
            "track_id": pl.String,
            "artist_id": pl.String,
            "kind": pl.String,
            "text": pl.String,
            "event_timestamp": pl.Datetime("us", "UTC"),
            "created_timestamp": pl.Datetime("us", "UTC"),
        },
        orient="row",
    )
    rows_found = text_rows(Written(rows, scored), "track")
    days = {(track, next_midnight(T0 + timedelta(seconds=second))) for track, _, _, _, second, _ in events if track}
    assert {(key, moment) for key, moment in rows_found.select("track_id", "event_timestamp").iter_rows()} == days
    for feature_row in rows_found.iter_rows(named=True):
        before = [
            (kind, text, T0 + timedelta(seconds=second + delay))
            for track, _, kind, text, second, delay in events
            if track == feature_row["track_id"] and T0 + timedelta(seconds=second) < feature_row["event_timestamp"]
        ]
        assert feature_row["texts"] == len(before)
        assert feature_row["opinions"] == sum(kind in OPINIONS for kind, _, _ in before)
        assert feature_row["created_timestamp"] == max(created for _, _, created in before)
        opinions = [numbers[text, 0] for kind, text, _ in before if kind in OPINIONS]
        opinions = [value for value in opinions if not np.isnan(value)]
        assert feature_row["sentiment"] == (pytest.approx(np.mean(opinions)) if opinions else None)
        assert feature_row["subjectivity"] == pytest.approx(np.mean([numbers[text, 1] for _, text, _ in before]))
        word_counts = [([3, 2, 0, 5, 1][text], numbers[text, 2]) for _, text, _ in before]
        total = sum(count for count, _ in word_counts)
        explicit = sum(count * value for count, value in word_counts) / total if total else None
        assert feature_row["explicitness"] == (None if explicit is None else pytest.approx(explicit))
        weighted_vectors = [
            (vectors[text], 0.25 if kind in ("review", "lyrics") else 1.0) for kind, text, _ in before if text != 2
        ]
        if weighted_vectors:
            vector = sum(weight * text_vector for text_vector, weight in weighted_vectors)
            np.testing.assert_allclose(feature_row["vector"], vector / np.linalg.norm(vector), atol=1e-5)
        else:
            assert feature_row["vector"] is None


def next_midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)


def test_what_is_written_about_tracks_counts_for_their_artist() -> None:
    times = {"event_timestamp": [T0], "created_timestamp": [T0]}
    frames = (
        TABLES["texts"].conform(
            pl.DataFrame(
                {
                    "text_id": ["x"],
                    "entity": ["track"],
                    "entity_id": ["t1"],
                    "kind": ["review"],
                    "text": ["hm"],
                    **times,
                }
            )
        ),
        TABLES["tracks"].conform(pl.DataFrame({"track_id": ["t1"], "artist_id": ["a1"], "title": ["Song"], **times})),
        TABLES["artists"].conform(pl.DataFrame({"artist_id": ["a1"], "name": ["Band"], **times})),
        TABLES["tags"].conform(pl.DataFrame({"user_id": ["u"], "artist_id": ["a1"], "tag": ["jazz"], **times})),
    )
    rows = gather(*frames).sort("text")
    assert rows.select("track_id", "artist_id", "kind", "text").rows() == [
        (None, "a1", "title", "Band"),
        ("t1", "a1", "title", "Song"),
        ("t1", "a1", "review", "hm"),
        (None, "a1", "tag", "jazz"),
    ]


def test_tables_are_built_again_only_when_something_changed(own_written: Home) -> None:
    from transforms.batch.build import build

    assert not any(build(own_written)[name].rebuilt for name in ("track_text", "artist_text", "track_identity"))
    rows_before = pl.read_parquet(own_written.features("track_text") / parquet.PART)
    assert rows_before["sentiment"].count() > 100
    assert rows_before["vector"].list.len().max() == 128
    # scores cannot be known before their models exist
    assert rows_before["created_timestamp"].dt.timestamp("us").min() == served_models(own_written).known
    ingest_texts(
        own_written,
        [text_row(9, "a gem of a song", entity_id="t000001", event_timestamp=datetime(2026, 1, 19, tzinfo=UTC))],
    )
    report = build(own_written)
    assert report["track_text"].rebuilt
    assert not report["track_identity"].rebuilt
    rows_after = pl.read_parquet(own_written.features("track_text") / parquet.PART)
    assert rows_after.height in (rows_before.height, rows_before.height + 1)
