"""Text vectors and topics, and the files of their models."""

import numpy as np
import pytest

from feature_repo.errors import InputError
from training.models.text import latent
from training.models.text.linear_stack import Recipe, fit
from transforms.pure.text.latent import LatentText
from transforms.pure.text.linear import LinearText
from transforms.pure.text.words import words

JAZZ = [
    "saxophone solo in a smoky trio",
    "walking bass and saxophone",
    "smoky trio with walking bass",
    "trio saxophone bass",
]
METAL = [
    "growled vocals over blast beats",
    "shredding solos and blast beats",
    "growled shredding",
    "blast vocals growled",
]


@pytest.fixture(scope="module")
def fitted() -> LatentText:
    return latent.fit([words(text) for text in [*JAZZ, *METAL]], dimensions=4, topics=2)


def test_texts_about_the_same_lie_together(fitted: LatentText) -> None:
    first, second, other = fitted.vectors([words("saxophone trio"), words("smoky bass"), words("blast beats")])
    assert first @ second > 0.5 > first @ other
    assert np.linalg.norm(first) == pytest.approx(1, abs=1e-5)
    assert not fitted.vectors([["zzz"]]).any()


def test_topics_tell_the_two_kinds_apart(fitted: LatentText) -> None:
    shares = fitted.topic_shares([words(text) for text in [*JAZZ, *METAL]])
    assert np.allclose(shares.sum(axis=1), 1, atol=1e-5)
    assert len(set(shares[: len(JAZZ)].argmax(axis=1))) == 1
    assert shares[0].argmax() != shares[-1].argmax()
    assert "saxophone" in fitted.topic_words(int(shares[0].argmax()))
    assert fitted.topic_shares([["zzz"]])[0] == pytest.approx([0.5, 0.5])


def test_files_answer_as_the_fitted_models(fitted: LatentText) -> None:
    queries = [words("a smoky saxophone"), words("beats"), []]
    restored = LatentText.from_bytes(fitted.to_bytes())
    np.testing.assert_array_equal(restored.vectors(queries), fitted.vectors(queries))
    np.testing.assert_allclose(restored.topic_shares(queries), fitted.topic_shares(queries), atol=1e-6)
    assert restored.fit == fitted.fit
    tokens = [words(text) for text in [*JAZZ, *METAL]]
    labels = np.array([0] * len(JAZZ) + [1] * len(METAL))
    model = fit(tokens, labels, ("jazz", "metal"), [np.array([n]) for n in range(len(tokens))], recipe=Recipe(folds=2))
    np.testing.assert_allclose(
        LinearText.from_bytes(model.to_bytes()).predict(queries), model.predict(queries), atol=1e-6
    )


def test_texts_that_share_no_word_are_refused() -> None:
    with pytest.raises(InputError, match="texts that share words"):
        latent.fit([["a"], ["b"]])
