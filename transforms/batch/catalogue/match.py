"""How alike two spellings are.

Titles and performers are compared by edit distance (Levenshtein 1966, Jaro and Winkler 1990; rapidfuzz); what tells
songs apart whatever the distance, such as numbers of parts, is asked first.
"""

from transforms.batch.catalogue.spelling import Spelling

THRESHOLD = 0.9
"""Score from which two spellings are taken for the same; chosen on the checked pairs of docs/text.md."""
OTHER_VERSION = 0.15
"""Taken off where one is live, a remix or the like, and the other is not: the same song, not the same recording."""


def score(first: Spelling, second: Spelling) -> float:
    """0 to 1: how sure it is that both are the same recording.

    >>> from transforms.batch.catalogue.spelling import spelled
    >>> score(spelled("Doo Wop (That Thing)", "Lauryn Hill"), spelled("Doo-Wop", "Ms. Lauryn Hill")) > THRESHOLD
    True
    """
    found = song_score(first, second)
    return max(found - OTHER_VERSION * (first.versions != second.versions), 0.0)


def song_score(first: Spelling, second: Spelling) -> float:
    """0 to 1: how sure it is that both are the same song by the same performers, in whatever version."""
    if first.numbers != second.numbers and first.title != second.title:
        return 0.0
    by = performers(first, second)
    if by < 0.6:
        return 0.0
    called = titles(first, second)
    return called * (0.5 + 0.5 * by) if called >= 0.75 else 0.0


def titles(first: Spelling, second: Spelling) -> float:
    """0 to 1."""
    from rapidfuzz import fuzz

    pairs = {
        (first.title, second.title),
        (first.whole, second.whole),
        (first.title, second.whole),
        (first.whole, second.title),
    }
    best = 0.0
    for one, other in pairs:
        if not one or not other:
            continue
        joined, split = one.replace(" ", ""), other.replace(" ", "")
        if joined == split:
            return 1.0
        likeness = max(fuzz.ratio(joined, split), fuzz.token_sort_ratio(one, other)) / 100
        # a few letters weigh more in a short title
        best = max(best, likeness if min(len(joined), len(split)) >= 8 else likeness**2)
    return best


def performers(first: Spelling, second: Spelling) -> float:
    """0 to 1: whether each has the other's first name, and of the one with fewer names, how many the other has.

    A duet is not the recording of one of the two: "Toby Keith With Sting" is not Sting.
    """
    from rapidfuzz import fuzz
    from rapidfuzz.distance import JaroWinkler

    if not first.performers or not second.performers:
        return 0.0
    one, other = " ".join(first.performers), " ".join(second.performers)
    if one.replace(" ", "") == other.replace(" ", ""):
        return 1.0

    def alike(name: str, names: tuple[str, ...]) -> float:
        return max(_alike(name, against, JaroWinkler, fuzz) for against in names)

    lead = min(alike(first.performers[0], second.performers), alike(second.performers[0], first.performers))
    few, many = sorted((first.performers, second.performers), key=len)
    rest = sum(alike(name, many) for name in few) / len(few)
    return max(0.75 * lead + 0.25 * rest, fuzz.token_sort_ratio(one, other) / 100)


def _alike(name: str, other: str, winkler, fuzz) -> float:  # type: ignore[no-untyped-def]
    if name == other:
        return 1.0
    words, others = set(name.split()), set(other.split())
    # "lauryn hill" is in "ms lauryn hill"; one word alone may be anybody
    if len(words & others) >= 2 and (words <= others or others <= words):
        return 0.95
    return min(winkler.similarity(name, other), fuzz.ratio(name, other) / 100 + 0.1)
