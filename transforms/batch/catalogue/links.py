"""Which tracks of a catalogue are the same recording.

Within one source (the prefix of the identifiers), titles that are merely alike are other songs: only those spelled the
same, after what ``spelling`` takes off, are linked. Across sources the best match of each track is taken, above the
threshold. Candidates share the song's letters, or a rare word of the title and one of a
performer, so that time grows with the catalogue rather than with its square.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from transforms.batch.catalogue.match import THRESHOLD, score, song_score
from transforms.batch.catalogue.spelling import Spelling, spelled

MOST_CANDIDATES = 200
"""Of one track; of words that more tracks have, only the rarer are asked."""


@dataclass(frozen=True)
class Track:
    """One of a catalogue.

    Attributes:
        track_id: its identifier, with the source's prefix before the first colon.
        title: as told.
        performer: as told.
    """

    track_id: str
    title: str
    performer: str

    @property
    def source(self) -> str:
        """Who told of it; empty without a prefix."""
        prefix, colon, _ = self.track_id.partition(":")
        return prefix if colon else ""


class Catalogue:
    """Tracks that can be looked for by title and performer."""

    def __init__(self, tracks: Sequence[Track]) -> None:
        self.tracks = list(tracks)
        self.spellings = [spelled(track.title, track.performer) for track in self.tracks]
        self._by_key: dict[tuple[str, str], list[int]] = defaultdict(list)
        self._by_word: dict[str, list[int]] = defaultdict(list)
        self._by_name: dict[str, list[int]] = defaultdict(list)
        for place, spelling in enumerate(self.spellings):
            self._by_key[spelling.key].append(place)
            for word in _title_words(spelling):
                self._by_word[word].append(place)
            for word in _name_words(spelling):
                self._by_name[word].append(place)

    def candidates(self, spelling: Spelling) -> list[int]:
        """Places worth comparing with."""
        found = dict.fromkeys(self._by_key.get(spelling.key, ()))
        titles = sorted((self._by_word[word] for word in _title_words(spelling) if word in self._by_word), key=len)
        names = sorted((self._by_name[word] for word in _name_words(spelling) if word in self._by_name), key=len)
        for rare in titles[:4]:
            against = set(rare)
            for named in names[:4]:
                found.update(dict.fromkeys(place for place in named if place in against))
        for named in names[:2]:  # all that a performer sang: the title may be spelled any way
            if len(named) <= MOST_CANDIDATES:
                found.update(dict.fromkeys(named))
        return list(found)

    def best(self, title: str, performer: str) -> tuple[int, float] | None:
        """Place and score of the likeliest; None if nothing compares. Of equals, the first."""
        spelling = spelled(title, performer)
        scored = [(score(spelling, self.spellings[place]), -place) for place in self.candidates(spelling)]
        if not scored:
            return None
        value, place = max(scored)
        return -place, value


def _title_words(spelling: Spelling) -> set[str]:
    return {*spelling.whole.split(), spelling.title.replace(" ", "")}


def _name_words(spelling: Spelling) -> set[str]:
    names = {word for name in spelling.performers for word in name.split() if len(word) > 1}
    return names | {name.replace(" ", "") for name in spelling.performers}


@dataclass(frozen=True)
class Identity:
    """What a track is.

    Attributes:
        recording: place of the first known track of the same recording; its own if there is none.
        song: likewise of the same song, in whatever version.
        score: of the match that says so, 0 to 1; 1 for the first.
    """

    recording: int
    song: int
    score: float


def identities(tracks: Sequence[Track], threshold: float = THRESHOLD) -> list[Identity]:
    """Of each track, in the order in which they became known: nothing later has a say in what an earlier one is.

    Args:
        tracks: the oldest first.
        threshold: score from which two of different sources are the same.
    """
    catalogue = Catalogue(tracks)
    sources = [track.source for track in catalogue.tracks]
    found: list[Identity] = []
    for place, mine in enumerate(catalogue.spellings):
        same_recording, same_song = (0.0, 0), (0.0, 0)
        for other in catalogue.candidates(mine) if mine.title else ():
            if other >= place:
                continue
            theirs = catalogue.spellings[other]
            if sources[other] == sources[place]:  # merely alike is another song here
                value = float(theirs.key == mine.key and theirs.numbers == mine.numbers)
            else:
                value = song_score(mine, theirs)
            if value >= threshold:
                same_song = max(same_song, (value, -other))
                if theirs.versions == mine.versions:
                    same_recording = max(same_recording, (value, -other))
        recording = found[-same_recording[1]].recording if same_recording[0] else place
        song = found[-same_song[1]].song if same_song[0] else place
        found.append(Identity(recording, song, same_recording[0] or 1.0))
    return found
