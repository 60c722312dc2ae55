"""Scores the similarity of two spellings.

Titles and performers are compared by edit distance (Levenshtein 1966, Jaro and Winkler 1990; rapidfuzz). Features that
distinguish songs whatever the distance, such as part numbers, are compared first.
"""

from transforms.pure.text.spelling import Spelling

THRESHOLD = 0.9
"""Score from which two spellings count as the same; chosen on the checked pairs of docs/text.md."""
OTHER_VERSION = 0.15
"""Penalty where the versions differ (live, remix, …): it is the same song, but not the same recording."""


def score(first: Spelling, second: Spelling) -> float:
    """Confidence, 0 to 1, that two spellings are the same recording.

    >>> from transforms.pure.text.spelling import spelled
    >>> score(spelled("Doo Wop (That Thing)", "Lauryn Hill"), spelled("Doo-Wop", "Ms. Lauryn Hill")) > THRESHOLD
    True
    """
    similarity = song_score(first, second)
    return max(similarity - OTHER_VERSION * (first.versions != second.versions), 0.0)


def song_score(first: Spelling, second: Spelling) -> float:
    """Confidence, 0 to 1, that two spellings are the same song by the same performers, in any version."""
    if first.numbers != second.numbers and first.title != second.title:
        return 0.0
    performer_score = performers(first, second)
    if performer_score < 0.6:
        return 0.0
    title_score = titles(first, second)
    return title_score * (0.5 + 0.5 * performer_score) if title_score >= 0.75 else 0.0


def titles(first: Spelling, second: Spelling) -> float:
    """Similarity of two titles, 0 to 1."""
    from rapidfuzz import fuzz

    pairs = {
        (first.title, second.title),
        (first.full_title, second.full_title),
        (first.title, second.full_title),
        (first.full_title, second.title),
    }
    best = 0.0
    for left, right in pairs:
        if not left or not right:
            continue
        left_letters, right_letters = left.replace(" ", ""), right.replace(" ", "")
        if left_letters == right_letters:
            return 1.0
        similarity = max(fuzz.ratio(left_letters, right_letters), fuzz.token_sort_ratio(left, right)) / 100
        # a few different letters matter more in a short title
        best = max(best, similarity if min(len(left_letters), len(right_letters)) >= 8 else similarity**2)
    return best


def performers(first: Spelling, second: Spelling) -> float:
    """Similarity of two lists of performers, 0 to 1.

    It combines whether each list has the other's first performer, and the share of the shorter list's performers that
    the longer left has. A duet is not a recording of left of the two: "Toby Keith With Sting" is not Sting.
    """
    from rapidfuzz import fuzz
    from rapidfuzz.distance import JaroWinkler

    if not first.performers or not second.performers:
        return 0.0
    left, right = " ".join(first.performers), " ".join(second.performers)
    if left.replace(" ", "") == right.replace(" ", ""):
        return 1.0

    def best_similarity(name: str, names: tuple[str, ...]) -> float:
        return max(_name_similarity(name, candidate, JaroWinkler, fuzz) for candidate in names)

    lead = min(
        best_similarity(first.performers[0], second.performers), best_similarity(second.performers[0], first.performers)
    )
    shorter, longer = sorted((first.performers, second.performers), key=len)
    shared = sum(best_similarity(name, longer) for name in shorter) / len(shorter)
    return max(0.75 * lead + 0.25 * shared, fuzz.token_sort_ratio(left, right) / 100)


def _name_similarity(name: str, other: str, winkler, fuzz) -> float:  # type: ignore[no-untyped-def]
    if name == other:
        return 1.0
    words, other_words = set(name.split()), set(other.split())
    # "lauryn hill" is in "ms lauryn hill"; a single common word may be another performer
    if len(words & other_words) >= 2 and (words <= other_words or other_words <= words):
        return 0.95
    return min(winkler.similarity(name, other), fuzz.ratio(name, other) / 100 + 0.1)
