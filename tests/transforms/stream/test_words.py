"""Codes of texts, their sort order, and the Arrow array of the texts."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.stream.state import words as module
from transforms.stream.state.words import Words

BATCHES = st.lists(st.lists(st.none() | st.text("abé", max_size=6), max_size=12), max_size=12)


@pytest.mark.parametrize(
    ("recent", "space", "step"),
    [(2_000, 1 << 62, 1 << 24), (3, 1 << 62, 1 << 24), (3, 1 << 62, 1 << 60), (2, 1 << 11, 2)],
    ids=["as it is", "often put together", "far apart", "no room"],
)
def test_ranks_are_the_order_of_the_letters(
    monkeypatch: pytest.MonkeyPatch, recent: int, space: int, step: int
) -> None:
    for name, value in (("RECENT", recent), ("_SPACE", space), ("_STEP", step)):
        monkeypatch.setattr(module, name, value)

    @settings(deadline=None)
    @given(BATCHES, st.data())
    def check(batches: list[list[str | None]], data: st.DataObject) -> None:
        words, snapshots = Words(), []
        for batch in batches:
            codes = words.codes(batch).tolist()
            assert [None if code < 0 else words.texts[code] for code in codes] == batch
            if data.draw(st.booleans()):
                ranks = words.ranks
                assert sorted(words.texts) == [words.texts[code] for code in ranks.argsort()]
                assert len(set(ranks.tolist())) == len(words)
                snapshots.append((words.arrow, list(words.texts)))
        # also the arrays from before later texts were added
        assert all(array.to_pylist() == texts for array, texts in snapshots)

    check()
