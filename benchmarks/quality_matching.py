"""Matching of recordings under different spellings: precision and recall.

*Charts*: every song of the Hot 100 (title and performer as Billboard prints them) is matched with the tracks of
spotify-hit-predictor. A pair with the same letters and digits counts as correct; every other pair that the matcher
proposes was checked by a person, and so was the likeliest track of every song up to 1999 without a proposal
(``checked_matches.json``: digest of the pair → same recording or not). An unchecked proposal counts as wrong and is
reported. ``--data FOLDER`` with other decades of the tracks matches more songs.

*Spellings*: titles of the same tracks in another spelling (guests moved into the title, remastered, case, accents and
punctuation, a letter changed, one dropped) must match their track; as another recording (live, another part, a cover by
another performer), they must not.

Judged on: development: the rules were made after reading the pairs.
"""

import argparse
import hashlib
import json
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.surroundings import MACHINE, case_of_quality, data_set
from transforms.batch.catalogue.links import Catalogue, Track
from transforms.batch.catalogue.match import THRESHOLD
from transforms.pure.text.spelling import spelled

CHECKED = Path(__file__).with_name("checked_matches.json")
GOAL_PRECISION, GOAL_RECALL = 0.98, 0.90
SPELLED = 2_000
SEED = 0


def main() -> None:
    """Print progress, then one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of the public data sets")
    parser.add_argument("--show", action="store_true", help="print every pair that is not the same letter by letter")
    options = parser.parse_args()
    files = sorted(data_set("spotify-hit-predictor", root=options.data).glob("*.csv"))
    tracks = pl.concat([pl.read_csv(file, infer_schema_length=None).select("uri", "track", "artist") for file in files])
    catalogue = Catalogue([Track(*row) for row in tracks.unique("uri", maintain_order=True).iter_rows()])
    songs = (
        pl.read_parquet(data_set("billboard-weekly/hot100.parquet", root=options.data))
        .sort("chart_date", "rank")
        .unique(["title", "performer"], keep="first", maintain_order=True)
    )
    started = time.perf_counter()
    cases = [*charts(catalogue, songs, options.show), *spellings(catalogue)]
    print(
        json.dumps(
            {
                "benchmark": "quality_matching",
                "machine": MACHINE,
                "seconds": round(time.perf_counter() - started, 1),
                "figures": {"tracks": len(catalogue.tracks), "songs": songs.height},
                "cases": cases,
            }
        )
    )


def plain(title: str, performer: str) -> str:
    """Reduce title and performer to letters and digits."""
    return "".join(character for character in f"{title}|{performer}".lower() if character.isalnum() or character == "|")


def digest(title: str, performer: str, track: Track) -> str:
    """Hash a pair, so that titles and performers are not stored here."""
    return hashlib.sha256("\x1f".join((title, performer, track.title, track.performer)).encode()).hexdigest()[:16]


def charts(catalogue: Catalogue, songs: pl.DataFrame, show: bool) -> list[dict[str, Any]]:
    """Match songs of the Hot 100 with the tracks."""
    checked: dict[str, bool] = json.loads(CHECKED.read_text())
    same_letters = {plain(track.title, track.performer) for track in catalogue.tracks}
    correct = proposed = present = unchecked = different_letters = 0
    started = time.perf_counter()
    for title, performer in songs.select("title", "performer").iter_rows():
        best = catalogue.best(title, performer)
        has_same_letters = plain(title, performer) in same_letters
        candidate = None if best is None else catalogue.tracks[best[0]]
        key = "" if candidate is None else digest(title, performer, candidate)
        present += has_same_letters
        if best is None or candidate is None or best[1] < THRESHOLD:
            continue
        proposed += 1
        if plain(title, performer) == plain(candidate.title, candidate.performer):
            correct += 1
            continue
        different_letters += 1
        correct += checked.get(key, False)
        unchecked += key not in checked
        if show or key not in checked:
            status = "read" if key in checked else "unread"
            print(f"{status} {key} {title} / {performer} || {candidate.title} / {candidate.performer}")
    present += sum(checked.values())
    seconds = time.perf_counter() - started
    case_name = f"Hot 100, {songs.height:,} songs among {len(catalogue.tracks):,} tracks"
    return [
        case_of_quality(case_name, "precision", correct / max(proposed, 1), GOAL_PRECISION),
        case_of_quality(case_name, "recall", correct / max(present, 1), GOAL_RECALL),
        case_of_quality(case_name, "proposed", proposed),
        case_of_quality(f"{case_name}, not the same letter by letter", "proposed", different_letters),
        case_of_quality(f"{case_name}, read by nobody", "proposed", unchecked),
        case_of_quality(case_name, "songs_a_second", songs.height / seconds),
        case_of_quality(
            f"{case_name}, same letters alone", "recall", same_letter_count(songs, same_letters) / max(present, 1)
        ),
    ]


def same_letter_count(songs: pl.DataFrame, same_letters: set[str]) -> int:
    """Count the songs that would match by letters and digits alone."""
    return sum(plain(*row) in same_letters for row in songs.select("title", "performer").iter_rows())


Change = Callable[[str, str, random.Random], tuple[str, str]]


def _guest(title: str, performer: str, rng: random.Random) -> tuple[str, str]:
    guest = rng.choice(("Nelly Sand", "DJ Orbit", "The Marlowes"))
    return rng.choice(((f"{title} (feat. {guest})", performer), (title, f"{performer} Featuring {guest}")))


def _remastered(title: str, performer: str, rng: random.Random) -> tuple[str, str]:
    suffix = rng.choice((" - Remastered 2011", " (2009 Remaster)", " - Single Version", " [Album Version]", " - Mono"))
    return title + suffix, performer


def _case(title: str, performer: str, rng: random.Random) -> tuple[str, str]:
    return rng.choice((str.upper, str.lower, str.title))(title), performer.replace("The ", "").replace(" And ", " & ")


def _accents(title: str, performer: str, rng: random.Random) -> tuple[str, str]:
    accents = str.maketrans({"a": "á", "e": "é", "o": "ö", "u": "ü", "'": "’", ",": "", ".": "", "-": " "})
    return title.translate(accents), performer.translate(accents)


def _changed(title: str, performer: str, rng: random.Random) -> tuple[str, str]:
    places = [place for place, character in enumerate(title) if character.isalpha()]
    place = rng.choice(places)
    return title[:place] + rng.choice("aeiorst") + title[place + 1 :], performer


def _dropped(title: str, performer: str, rng: random.Random) -> tuple[str, str]:
    place = rng.randrange(len(performer))
    return title, performer[:place] + performer[place + 1 :]


def _live(title: str, performer: str, rng: random.Random) -> tuple[str, str]:
    return title + rng.choice((" - Live", " (Live at Wembley)", " (Acoustic)", " - Karaoke Version")), performer


def _part(title: str, performer: str, rng: random.Random) -> tuple[str, str]:
    first, dash, rest = title.partition(" - ")
    return f"{first}, Pt. {rng.choice((2, 3, 4))}{dash}{rest}", performer


def _covered(title: str, performer: str, rng: random.Random) -> tuple[str, str]:
    return title, rng.choice(("Nelly Sand", "DJ Orbit", "The Marlowes", "Orchestra Kolibri"))


SAME: dict[str, Change] = {
    "guests": _guest,
    "remastered": _remastered,
    "case and articles": _case,
    "accents and punctuation": _accents,
    "a letter of the title changed": _changed,
    "a letter of the performer dropped": _dropped,
}
OTHERS: dict[str, Change] = {"live or acoustic": _live, "another part": _part, "another performer": _covered}


def spellings(catalogue: Catalogue) -> list[dict[str, Any]]:
    """Match titles of the catalogue in other spellings."""
    rng = random.Random(SEED)
    usable = [
        track
        for track, spelling in zip(catalogue.tracks, catalogue.spellings, strict=True)
        if len(spelling.title) >= 5 and not spelling.versions and not spelling.numbers and len(track.performer) >= 5
    ]
    chosen = rng.sample(usable, min(SPELLED, len(usable)))
    cases = []
    correct = proposed = 0
    for name, change in SAME.items():
        matched = 0
        for track in chosen:
            best = catalogue.best(*change(track.title, track.performer, rng))
            if best is None or best[1] < THRESHOLD:
                continue
            proposed += 1
            found_spelling = spelled(catalogue.tracks[best[0]].title, catalogue.tracks[best[0]].performer)
            track_spelling = spelled(track.title, track.performer)
            matched += (found_spelling.title, found_spelling.key[1]) == (track_spelling.title, track_spelling.key[1])
        correct += matched
        cases.append(case_of_quality(f"{len(chosen):,} titles: {name}", "recall", matched / len(chosen)))
    all_mismatched = 0
    for name, change in OTHERS.items():
        mismatched = 0
        for track in chosen:
            best = catalogue.best(*change(track.title, track.performer, rng))
            mismatched += best is not None and best[1] >= THRESHOLD
        all_mismatched += mismatched
        cases.append(case_of_quality(f"{len(chosen):,} titles: {name}", "taken_for_the_same", mismatched / len(chosen)))
    return [
        case_of_quality("all spellings of the same", "recall", correct / (len(SAME) * len(chosen)), GOAL_RECALL),
        case_of_quality(
            "all spellings, others among them", "precision", correct / max(proposed + all_mismatched, 1), GOAL_PRECISION
        ),
        *cases,
    ]


if __name__ == "__main__":
    main()
