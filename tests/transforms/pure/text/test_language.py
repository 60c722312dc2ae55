"""Languages of short lines, and the pool of the two models that name them."""

import pytest

from transforms.pure.text.language import UNKNOWN, languages, pooled

LINES = {
    "no": ("Sangen er altfor lang", "Vi sees på konserten", "Bra tekst og fin stemme", "Kan du spille den igjen"),
    "da": ("Jeg kan godt lide den her plade", "God sang til en fest", "Vi ses til koncerten"),
    "sl": ("Ta pesem mi je zelo všeč", "Najboljši album leta"),
    "hr": ("Ova pjesma mi se jako sviđa", "Najbolji album godine"),
    "nn": ("Eg veit ikkje kva songen heiter",),
    "en": ("best song on the album", "a gem of a record"),
}


@pytest.mark.parametrize(("text", "code"), [(text, code) for code, texts in LINES.items() for text in texts])
def test_short_lines_of_related_languages(text: str, code: str) -> None:
    assert languages([text])[0][0] == code


def test_a_language_is_the_same_alone_and_among_others() -> None:
    texts = [text for lines in LINES.values() for text in lines]
    assert languages(texts) == [languages([text])[0] for text in texts]


def test_both_models_have_a_say() -> None:
    assert pooled({"en": 0.6, "da": 0.4}, {"da": 0.9, "en": 0.1})[0] == "da"
    assert pooled({"en": 0.6, "da": 0.4}, {"da": 0.5, "en": 0.5})[0] == "en"
    assert pooled({"en": 0.6}, {"da": 0.01, "en": 0.99})[0] == "en"


def test_a_language_that_one_model_does_not_know_can_win() -> None:
    """py3langid gives what it does not know to a relative; fastText must then be sure."""
    assert pooled({"ceb": 0.9, "tl": 0.001}, {"tl": 0.5, "en": 0.5})[0] == "ceb"
    assert pooled({"ceb": 0.4, "tl": 0.3}, {"tl": 0.9, "en": 0.1})[0] == "tl"


def test_variants_are_pooled_and_named_only_where_they_prevail() -> None:
    assert pooled({"no": 0.4, "nn": 0.3, "da": 0.3}, {"nn": 0.2, "no": 0.3, "da": 0.5})[0] == "no"
    assert pooled({"nn": 0.8, "no": 0.1}, {"nn": 0.9, "no": 0.1})[0] == "nn"


def test_confidence_is_a_probability_and_falls_where_the_models_disagree() -> None:
    agreed, disputed = pooled({"en": 0.9}, {"en": 0.9, "da": 0.1}), pooled({"en": 0.9, "da": 0.1}, {"da": 0.9})
    assert 0 < disputed[1] < agreed[1] <= 1
    assert languages(["12 34", "?!", ""]) == [(UNKNOWN, 0.0)] * 3
