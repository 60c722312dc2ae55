"""Finds the tracks of a catalogue that are the same recording.

Within one source (the prefix of the identifiers), titles that are merely similar are other songs: only titles with the
same spelling, after ``spelling`` has normalized it, are linked. Across sources the best match of each track above the
threshold is linked. Candidates share the song's letters, or a rare word of the title and one of a performer, so that
time grows with the size of the catalogue rather than with its square.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from transforms.batch.catalogue.match import THRESHOLD, score, song_score
from transforms.pure.text.spelling import Spelling, spelled

MOST_CANDIDATES = 200
"""Most candidates that a performer's name alone gives for one track."""


@dataclass(frozen=True)
class Track:
    """A track of a catalogue.

    Attributes:
        track_id: identifier, with the source's prefix before the first colon.
        title: title as reported.
        performer: performers as reported, in one text.
    """

    track_id: str
    title: str
    performer: str

    @property
    def source(self) -> str:
        """The source of the track; empty without a prefix."""
        prefix, colon, _ = self.track_id.partition(":")
        return prefix if colon else ""


class Catalogue:
    """An index of tracks by title and performer."""

    def __init__(self, tracks: Sequence[Track]) -> None:
        self.tracks = list(tracks)
        self.spellings = [spelled(track.title, track.performer) for track in self.tracks]
        self.keys = [spelling.key for spelling in self.spellings]
        self._by_key: dict[tuple[str, str], list[int]] = defaultdict(list)
        self._by_word: dict[str, list[int]] = defaultdict(list)
        self._by_name: dict[str, list[int]] = defaultdict(list)
        self._title_words = [_title_words(spelling) for spelling in self.spellings]
        self._name_words = [_name_words(spelling) for spelling in self.spellings]
        for place, key in enumerate(self.keys):
            self._by_key[key].append(place)
            for word in self._title_words[place]:
                self._by_word[word].append(place)
            for word in self._name_words[place]:
                self._by_name[word].append(place)

    def candidates(self, spelling: Spelling) -> list[int]:
        """Positions of the tracks that a spelling should be compared with."""
        positions = dict.fromkeys(self._by_key.get(spelling.key, ()))
        titles = sorted((word for word in _title_words(spelling) if word in self._by_word), key=self._titles_with)
        names = sorted((word for word in _name_words(spelling) if word in self._by_name), key=self._names_with)
        for title_word in titles[:4]:
            for name_word in names[:4]:
                positions.update(dict.fromkeys(self._with_both(title_word, name_word)))
        for name_word in names[:2]:  # all tracks of a performer, because the title may be spelled differently
            if self._names_with(name_word) <= MOST_CANDIDATES:
                positions.update(dict.fromkeys(self._by_name[name_word]))
        return list(positions)

    def same_key(self, spelling: Spelling) -> list[int]:
        """Positions of the tracks with the same key; within one source, no others are the same song."""
        return self._by_key.get(spelling.key, [])

    def _titles_with(self, word: str) -> int:
        return len(self._by_word[word])

    def _names_with(self, word: str) -> int:
        return len(self._by_name[word])

    def _with_both(self, title_word: str, name_word: str) -> list[int]:
        """Positions of the tracks with a word of the title and one of a performer, ascending."""
        if self._names_with(name_word) <= self._titles_with(title_word):
            return [place for place in self._by_name[name_word] if title_word in self._title_words[place]]
        return [place for place in self._by_word[title_word] if name_word in self._name_words[place]]

    def best(self, title: str, performer: str) -> tuple[int, float] | None:
        """Position and score of the best match, the first among equals; None without candidates."""
        spelling = spelled(title, performer)
        scored = [(score(spelling, self.spellings[place]), -place) for place in self.candidates(spelling)]
        if not scored:
            return None
        value, place = max(scored)
        return -place, value


def _title_words(spelling: Spelling) -> set[str]:
    return {*spelling.full_title.split(), spelling.title.replace(" ", "")}


def _name_words(spelling: Spelling) -> set[str]:
    names = {word for name in spelling.performers for word in name.split() if len(word) > 1}
    return names | {name.replace(" ", "") for name in spelling.performers}


@dataclass(frozen=True)
class Identity:
    """The recording and song of a track.

    Attributes:
        recording: position of the earliest track of the same recording; the track's own if it is the first.
        song: position of the earliest track of the same song, in any version; the track's own if it is the first.
        score: score of the match, 0 to 1; 1 for the first track of a recording.
    """

    recording: int
    song: int
    score: float


def identities(tracks: Sequence[Track], threshold: float = THRESHOLD) -> list[Identity]:
    """Identifies each track by earlier tracks alone, so that later tracks do not change earlier identities.

    Args:
        tracks: the tracks, oldest first.
        threshold: score from which two tracks of different sources are the same.
    """
    catalogue = Catalogue(tracks)
    sources = [track.source for track in catalogue.tracks]
    candidates = catalogue.same_key if len(set(sources)) == 1 else catalogue.candidates
    result: list[Identity] = []
    for place, spelling in enumerate(catalogue.spellings):
        same_recording, same_song = (0.0, 0), (0.0, 0)
        for candidate in candidates(spelling) if spelling.title else ():
            if candidate >= place:
                continue
            other_spelling = catalogue.spellings[candidate]
            if sources[candidate] == sources[place]:  # within a source, merely similar titles are other songs
                is_same = catalogue.keys[candidate] == catalogue.keys[place]
                value = float(is_same and other_spelling.numbers == spelling.numbers)
            else:
                value = song_score(spelling, other_spelling)
            if value >= threshold:
                same_song = max(same_song, (value, -candidate))
                if other_spelling.versions == spelling.versions:
                    same_recording = max(same_recording, (value, -candidate))
        recording = result[-same_recording[1]].recording if same_recording[0] else place
        song = result[-same_song[1]].song if same_song[0] else place
        result.append(Identity(recording, song, same_recording[0] or 1.0))
    return result
