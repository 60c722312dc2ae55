"""The reasons of recommendations, checked against the raw plays in plain loops."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from feature_repo import clock
from feature_repo.days import files_in
from feature_repo.home import Home
from inference.recommend.answer import Recommendation
from transforms import feature_tables
from transforms.pure.candidates.cold import segments
from transforms.raw.read import plays, scan

FOLLOWING = 5
MOST_PLAYS = 10
"""Plays of a listener and a track that count in what is popular."""
DAYS_28 = timedelta(days=28)


def not_learned_from(home: Home) -> set[str]:
    """Listeners whose plays looked made up at the newest cutoff of a training; they count in nothing."""
    if not files_in(home.features("listener_trust")):
        return set()  # one listener alone is judged by nobody
    rows = feature_tables.scan(home, "listener_trust").collect()
    newest = rows.filter(pl.col("event_timestamp") == pl.col("event_timestamp").max())
    return set(newest.filter(pl.col("weight") == 0)["user_id"])


class PlaysOracle:
    """Facts of a data folder as of now."""

    def __init__(self, home: Home) -> None:
        columns = ("user_id", "track_id", "artist_id", "event_timestamp")
        self.now = clock.now()
        rows = plays(home).select(columns).collect().sort("event_timestamp", "user_id", "track_id")
        self.plays: dict[str, list[tuple[str, str | None, datetime]]] = defaultdict(list)
        self.listeners: dict[str, set[str]] = defaultdict(set)
        for user, track, artist, at in rows.iter_rows():
            self.plays[user].append((track, artist, at))
            self.listeners[track].add(user)
        tracks = scan(home, "tracks").collect().sort("event_timestamp").unique("track_id", keep="last")
        self.tracks: dict[str, dict[str, Any]] = {row["track_id"]: row for row in tracks.iter_rows(named=True)}
        self.users = {
            row["user_id"]: row for row in scan(home, "users").collect().sort("event_timestamp").iter_rows(named=True)
        }
        self.lately: dict[str, int] = defaultdict(int)
        left_out = not_learned_from(home)
        for user, user_plays in self.plays.items():
            if user in left_out:
                continue
            newest = Counter(track for track, _, at in user_plays if at >= self.now - DAYS_28)
            for track, count in newest.items():
                self.lately[track] += min(count, MOST_PLAYS)

    def heard(self, user: str) -> set[str]:
        """Tracks that a listener has ever played."""
        return {track for track, *_ in self.plays.get(user, [])}

    def titled(self, title: str, tracks: set[str]) -> set[str]:
        """Those of the tracks that have a title."""
        return {track for track in tracks if (self.tracks.get(track, {}).get("title") or track) == title}

    def holds(self, user: str, item: Recommendation, country: str | None = None) -> bool:
        """Whether an item is unheard or said to be heard, and its reason is true."""
        text, track = item.reason, item.track_id
        checks: tuple[tuple[str, Callable[..., bool]], ...] = (
            (r"you played (.+) (\d+) times in the last 28 days", lambda _, n: self._artist_plays(user, item) == int(n)),
            (r"has followed (.+), which you played in the last day", lambda title: self._follows(user, track, title)),
            (
                r"(another|\d+) other listeners? played both it and (.+), which you played",
                lambda count, title: self._shared(user, track, title, int(count)),
            ),
            (
                r"(another) listener played both it and (.+), which you played",
                lambda _, title: self._shared(user, track, title, 1),
            ),
            (r"near your taste: (\d+) other listeners played it", lambda n: len(self._others(user, track)) == int(n)),
            (r"near your taste: another listener played it", lambda: len(self._others(user, track)) == 1),
            (
                r"described like what you play",
                lambda: self._is_described(track),
            ),
            (r"it came out in the last four weeks", lambda: self.now - self.tracks[track]["released"] <= DAYS_28),
            (r"played among listeners like you \((.+)\)", lambda name: self._segment(user, track, name, country)),
            (r"number (\d+) of the last 28 days", lambda rank: self._rank(track, int(rank))),
            (r"new to most: .*", lambda: 0 < 2 * len(self.listeners[track]) < len(self.plays)),
            (r"you have not heard it yet", lambda: True),
            (r"nothing more is known of it", lambda: True),
        )
        for pattern, check in checks:
            match = re.fullmatch(pattern, text)
            if match:
                return track not in self.heard(user) and check(*match.groups())
        return self._again(user, track, text)

    def _is_described(self, track: str) -> bool:
        return bool(self.tracks[track]["genres"] or self.tracks[track]["artist_id"])

    def _others(self, user: str, track: str) -> set[str]:
        return self.listeners[track] - {user}

    def _artist_plays(self, user: str, item: Recommendation) -> int:
        since = self.now - DAYS_28
        return sum(artist == item.artist_id and since <= at for _, artist, at in self.plays[user])

    def _follows(self, user: str, track: str, title: str) -> bool:
        day = {played for played, _, at in self.plays[user] if at >= self.now - timedelta(days=1)}
        causes = self.titled(title, day)
        for user_plays in self.plays.values():
            names = [played for played, *_ in user_plays]
            for index, played in enumerate(names):
                if played in causes and track in names[index + 1 : index + 1 + FOLLOWING]:
                    return True
        return False

    def _shared(self, user: str, track: str, title: str, count: int) -> bool:
        causes = self.titled(title, self.heard(user))
        return any(len((self.listeners[track] & self.listeners[cause]) - {user}) == count for cause in causes)

    def _segment(self, user: str, track: str, name: str, country: str | None) -> bool:
        since = self.now - DAYS_28
        own = self.users.get(user, {})
        own_segments = segments(country or own.get("country"), own.get("birth_year"))
        members = {
            other
            for other, row in self.users.items()
            if name in segments(row["country"], row["birth_year"]) and other != user
        }
        played = any(
            played == track and at >= since for other in members for played, _, at in self.plays.get(other, [])
        )
        return name in own_segments and played

    def _rank(self, track: str, rank: int) -> bool:
        count = self.lately[track]
        above = sum(other > count for other in self.lately.values())
        ties = sum(other == count for other in self.lately.values())
        return count > 0 and above < rank <= above + ties

    def _again(self, user: str, track: str, text: str) -> bool:
        match = re.fullmatch(
            r"(a forgotten favourite: )?you played it (?:(once), on|(\d+) times, last on) (\d{4}-\d\d-\d\d)"
            r"(?:, (\d+) days ago)?(?:; it has followed (.+), which you played in the last day)?",
            text,
        )
        if match is None:
            return False
        forgotten, once, count, day, days, title = match.groups()
        times = [at for played, _, at in self.plays[user] if played == track]
        rested = (self.now - max(times)).days
        facts = [
            len(times) == (1 if once else int(count)),
            f"{max(times).astimezone(UTC):%Y-%m-%d}" == day,
            days is None or rested == int(days),
            not forgotten or (rested >= 60 and len(times) >= 5),
            title is None or self._follows(user, track, title),
        ]
        return all(facts)
