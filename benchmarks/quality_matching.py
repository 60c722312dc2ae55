"""One recording under many spellings: how often the matcher is right, and how often it finds what is there.

*Charts*: every song of the Hot 100 (title and performer as Billboard prints them) is looked for among the tracks of
spotify-hit-predictor. A pair whose letters and digits are the same is right by itself; every other pair that the
matcher proposes was read by a person, and so was the likeliest track of every song up to 1999 for which it proposes
none (``checked_matches.json``: digest of the pair → same recording or not). A proposal that nobody has read is counted
as wrong and told. ``--data FOLDER`` with other decades of the tracks asks for more songs.

*Spellings*: titles of the same tracks, written in another way (guests moved into the title, remastered, case, accents
and punctuation, a letter changed, one dropped), must find their track; written as another recording (live, another
part, a cover by somebody else), they must not.
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

from benchmarks.surroundings import DATA, MACHINE
from transforms.batch.catalogue.links import Catalogue, Track
from transforms.batch.catalogue.match import THRESHOLD
from transforms.batch.catalogue.spelling import spelled

CHECKED = Path(__file__).with_name("checked_matches.json")
GOAL_PRECISION, GOAL_RECALL = 0.98, 0.90
SPELLED = 2_000
SEED = 0


def main() -> None:
    """Print progress, then one line of JSON."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--data", type=Path, default=DATA, help="folder of the public data sets")
    arguments.add_argument("--show", action="store_true", help="print every pair that is not the same letter by letter")
    given = arguments.parse_args()
    files = sorted((given.data / "spotify-hit-predictor").glob("*.csv"))
    tracks = pl.concat([pl.read_csv(file, infer_schema_length=None).select("uri", "track", "artist") for file in files])
    catalogue = Catalogue([Track(*row) for row in tracks.unique("uri", maintain_order=True).iter_rows()])
    songs = (
        pl.read_parquet(given.data / "billboard-weekly" / "hot100.parquet")
        .sort("chart_date", "rank")
        .unique(["title", "performer"], keep="first", maintain_order=True)
    )
    started = time.perf_counter()
    cases = [*charts(catalogue, songs, given.show), *spellings(catalogue)]
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


def case(what: str, metric: str, value: float, goal: float | None = None) -> dict[str, Any]:
    """One line of the result; told at once, too."""
    told: dict[str, Any] = {"case": what, "metric": metric, "value": round(float(value), 4)}
    if goal is not None:
        told |= {"goal": f">={goal}", "met": bool(value >= goal)}
    print(json.dumps(told), flush=True)
    return told


def plain(title: str, performer: str) -> str:
    """Letters and digits."""
    return "".join(character for character in f"{title}|{performer}".lower() if character.isalnum() or character == "|")


def digest(title: str, performer: str, track: Track) -> str:
    """Of a pair, so that neither is written down here."""
    return hashlib.sha256("\x1f".join((title, performer, track.title, track.performer)).encode()).hexdigest()[:16]


def charts(catalogue: Catalogue, songs: pl.DataFrame, show: bool) -> list[dict[str, Any]]:
    """Songs of the Hot 100 among the tracks."""
    checked: dict[str, bool] = json.loads(CHECKED.read_text())
    same_letters = {plain(track.title, track.performer) for track in catalogue.tracks}
    right = proposed = there = unread = other = 0
    started = time.perf_counter()
    for title, performer in songs.select("title", "performer").iter_rows():
        found = catalogue.best(title, performer)
        exact = plain(title, performer) in same_letters
        pair = None if found is None else catalogue.tracks[found[0]]
        key = "" if pair is None else digest(title, performer, pair)
        there += exact
        if found is None or pair is None or found[1] < THRESHOLD:
            continue
        proposed += 1
        if plain(title, performer) == plain(pair.title, pair.performer):
            right += 1
            continue
        other += 1
        right += checked.get(key, False)
        unread += key not in checked
        if show or key not in checked:
            known = "read" if key in checked else "unread"
            print(f"{known} {key} {title} / {performer} || {pair.title} / {pair.performer}")
    there += sum(checked.values())
    seconds = time.perf_counter() - started
    what = f"Hot 100, {songs.height:,} songs among {len(catalogue.tracks):,} tracks"
    return [
        case(what, "precision", right / max(proposed, 1), GOAL_PRECISION),
        case(what, "recall", right / max(there, 1), GOAL_RECALL),
        case(what, "proposed", proposed),
        case(f"{what}, not the same letter by letter", "proposed", other),
        case(f"{what}, read by nobody", "proposed", unread),
        case(what, "songs_a_second", songs.height / seconds),
        case(f"{what}, same letters alone", "recall", sum_of(songs, same_letters) / max(there, 1)),
    ]


def sum_of(songs: pl.DataFrame, same_letters: set[str]) -> int:
    """Songs that letters and digits alone would find."""
    return sum(plain(*row) in same_letters for row in songs.select("title", "performer").iter_rows())


Change = Callable[[str, str, random.Random], tuple[str, str]]


def _guest(title: str, performer: str, rng: random.Random) -> tuple[str, str]:
    guest = rng.choice(("Nelly Sand", "DJ Orbit", "The Marlowes"))
    return rng.choice(((f"{title} (feat. {guest})", performer), (title, f"{performer} Featuring {guest}")))


def _remastered(title: str, performer: str, rng: random.Random) -> tuple[str, str]:
    said = rng.choice((" - Remastered 2011", " (2009 Remaster)", " - Single Version", " [Album Version]", " - Mono"))
    return title + said, performer


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
    """Titles of the catalogue, written in another way."""
    rng = random.Random(SEED)
    usable = [
        track
        for track, spelling in zip(catalogue.tracks, catalogue.spellings, strict=True)
        if len(spelling.title) >= 5 and not spelling.versions and not spelling.numbers and len(track.performer) >= 5
    ]
    chosen = rng.sample(usable, min(SPELLED, len(usable)))
    cases = []
    right = proposed = 0
    for name, change in SAME.items():
        found = 0
        for track in chosen:
            best = catalogue.best(*change(track.title, track.performer, rng))
            if best is None or best[1] < THRESHOLD:
                continue
            proposed += 1
            same = spelled(catalogue.tracks[best[0]].title, catalogue.tracks[best[0]].performer)
            mine = spelled(track.title, track.performer)
            found += (same.title, same.key[1]) == (mine.title, mine.key[1])
        right += found
        cases.append(case(f"{len(chosen):,} titles: {name}", "recall", found / len(chosen)))
    wrong = 0
    for name, change in OTHERS.items():
        taken = 0
        for track in chosen:
            best = catalogue.best(*change(track.title, track.performer, rng))
            taken += best is not None and best[1] >= THRESHOLD
        wrong += taken
        cases.append(case(f"{len(chosen):,} titles: {name}", "taken_for_the_same", taken / len(chosen)))
    return [
        case("all spellings of the same", "recall", right / (len(SAME) * len(chosen)), GOAL_RECALL),
        case("all spellings, others among them", "precision", right / max(proposed + wrong, 1), GOAL_PRECISION),
        *cases,
    ]


if __name__ == "__main__":
    main()
