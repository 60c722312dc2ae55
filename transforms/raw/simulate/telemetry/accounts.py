"""Simulated accounts: listeners with addresses and devices, their plays and logins, bots and attackers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from transforms.raw.simulate.telemetry.schedule import DAY, MINUTE, Event, TelemetrySize, names
from transforms.raw.table import MICROSECONDS_UTC

_SECOND = 1_000_000
TRACKS = 2_000
DEVICES = ("phone", "desktop", "speaker", "tv", "car", "web")
COUNTRIES = ("US", "DE", "BR", "GB", "JP", "FR")
_HOUR = np.array([2, 1, 1, 1, 1, 2, 4, 6, 7, 6, 5, 5, 6, 6, 6, 6, 7, 8, 9, 9, 9, 8, 6, 4], float)
STUFFING = (20, 90)
"""Lowest and highest rate of credential stuffing in attempts per minute."""
OFFICE = 0.15
"""Share of accounts behind one of a few shared addresses."""


@dataclass(frozen=True)
class Accounts:
    """The accounts of a simulated service.

    Attributes:
        users: (n,) user_id.
        activity: (n,) share of all requests and plays.
        home: (n,) usual address.
        country: (n,) index in ``COUNTRIES``.
        devices: (n, 3) indices in ``DEVICES``, the usual device first.
        owl: (n,) whether the account listens at night.
        taste: (n, 2) number of the first favourite track, and number of favourites.
    """

    users: pl.Series
    activity: np.ndarray
    home: np.ndarray
    country: np.ndarray
    devices: np.ndarray
    owl: np.ndarray
    taste: np.ndarray

    def address(self, who: np.ndarray, rng: np.random.Generator) -> pl.Series:
        """Draw the address of one request per account in ``who``: home, or sometimes a phone network."""
        roaming = rng.random(len(who)) < 0.12
        mobile = [f"100.64.{number // 8}.{number % 8}" for number in range(64)]
        text = np.where(roaming, np.array(mobile)[rng.integers(0, 64, len(who))], self.home[who])
        return pl.Series(text.astype(object), dtype=pl.String)


def draw_accounts(size: TelemetrySize, rng: np.random.Generator) -> Accounts:
    """Draw the accounts of a service."""
    count = size.accounts
    activity = rng.lognormal(0, 0.7, count)
    office = rng.random(count) < OFFICE
    home = np.array([f"203.0.{number // 250}.{number % 250}" for number in range(count)])
    shared = np.array([f"192.0.2.{number}" for number in range(4)])
    return Accounts(
        users=pl.Series(names(size)["user_id"]),
        activity=activity / activity.sum(),
        home=np.where(office, shared[rng.integers(0, 4, count)], home),
        country=rng.integers(0, len(COUNTRIES), count),
        devices=np.argsort(rng.random((count, len(DEVICES))), axis=1)[:, :3],
        owl=rng.random(count) < 0.08,
        taste=np.column_stack([rng.integers(0, TRACKS, count), rng.integers(40, 400, count)]),
    )


def plays(
    size: TelemetrySize, schedule: Sequence[Event], accounts: Accounts, day: int, rng: np.random.Generator
) -> pl.DataFrame:
    """Draw the plays of one day: sessions of consecutive tracks, some skipped; also bots and shared accounts."""
    first = size.begin + day * DAY
    sessions = rng.poisson(accounts.activity * size.accounts * 2.2)
    who = np.repeat(np.arange(size.accounts), sessions)
    hour = rng.choice(24, len(who), p=_HOUR / _HOUR.sum())
    hour = np.where(accounts.owl[who], (hour + 10) % 24, hour)
    start = first + (hour * 3_600 + rng.integers(0, 3_600, len(who))) * _SECOND
    frames = [_sessions(accounts, who, start, rng.geometric(1 / 10, len(who)), first + DAY, rng)]
    for event in schedule:
        low, high = max(event.start, first), min(event.end, first + DAY)
        if high <= low or event.kind not in ("stream_fraud", "account_sharing"):
            continue
        user = int(event.entity_id.removeprefix("listener"))
        if event.kind == "stream_fraud":
            frames.append(_bot(event, low, high, rng))
        else:  # several people, each with sessions all day long
            people = 2 + int(event.strength * 3)
            session_count = int(people * (high - low) / (40 * MINUTE)) + 1
            starts = rng.integers(low, high, session_count)
            shared_plays = _sessions(
                accounts, np.full(session_count, user), starts, rng.geometric(1 / 10, session_count), high, rng
            )
            device = pl.Series(DEVICES).gather(rng.integers(0, len(DEVICES), shared_plays.height))
            frames.append(shared_plays.with_columns(device=device))
    rows = pl.concat(frames).unique(["user_id", "track_id", "event_timestamp"], maintain_order=True)
    return rows.sort("event_timestamp")


def _sessions(
    accounts: Accounts, who: np.ndarray, start: np.ndarray, lengths: np.ndarray, end: int, rng: np.random.Generator
) -> pl.DataFrame:
    session = np.repeat(np.arange(len(who)), lengths)
    user = who[session]
    skipped = rng.random(len(user)) < 0.2
    full_ms = rng.normal(210, 45, len(user)).clip(60, 600) * 1_000
    played_ms = np.where(skipped, full_ms * rng.beta(1, 6, len(user)), full_ms).astype(np.int64)
    elapsed = np.cumsum(played_ms + 1_500) - (played_ms + 1_500)
    first_of_session = np.cumsum(lengths) - lengths
    at = (
        start[session] + (elapsed - np.repeat(elapsed[first_of_session], lengths)) * 1_000
        if len(user)
        else np.empty(0, np.int64)
    )
    favourite = (accounts.taste[user, 0] + (rng.random(len(user)) ** 2 * accounts.taste[user, 1]).astype(int)) % TRACKS
    device = accounts.devices[who, np.minimum(rng.geometric(0.75, len(who)) - 1, 2)]
    rows = _plays(
        accounts.users.gather(user), favourite, at, played_ms, skipped, pl.Series(DEVICES).gather(device[session])
    )
    return rows.filter(pl.Series(at < end))


def _bot(event: Event, low: int, high: int, rng: np.random.Generator) -> pl.DataFrame:
    """Draw the plays of a bot: few tracks over and over, each for a little more than half a minute."""
    count = int((high - low) / (36 * _SECOND))
    played_ms = rng.integers(30_500, 36_000, count)
    at = low + np.cumsum(played_ms * 1_000 + 500_000)
    tracks = rng.integers(0, TRACKS, 6)[rng.integers(0, 6, count)]
    user = pl.Series([event.entity_id] * count)
    rows = _plays(user, tracks, at, played_ms, np.zeros(count, bool), pl.Series(["web"] * count, dtype=pl.String))
    return rows.filter(pl.Series(at < high))


def _plays(
    user: pl.Series, track: np.ndarray, at: np.ndarray, played: np.ndarray, skipped: np.ndarray, device: pl.Series
) -> pl.DataFrame:
    number = pl.Series(track)
    return pl.DataFrame(
        {
            "user_id": user,
            "track_id": pl.select(pl.format("song{}", number)).to_series(),
            "artist_id": pl.select(pl.format("band{}", number // 12)).to_series(),
            "event_timestamp": pl.Series(at).cast(MICROSECONDS_UTC),
            "created_timestamp": pl.Series(at + 2 * _SECOND).cast(MICROSECONDS_UTC),
            "ms_played": played,
            "skipped": skipped,
            "device": device,
        },
        schema_overrides={"user_id": pl.String, "track_id": pl.String, "artist_id": pl.String, "device": pl.String},
    )


def logins(
    size: TelemetrySize, schedule: Sequence[Event], accounts: Accounts, day: int, rng: np.random.Generator
) -> pl.DataFrame:
    """Draw the login attempts of one day: a few per week and account, typing errors, travellers; also attacks."""
    first = size.begin + day * DAY
    who = np.repeat(np.arange(size.accounts), rng.poisson(0.6, size.accounts))
    failures = np.where(rng.random(len(who)) < 0.1, rng.geometric(0.6, len(who)), 0)
    travelling = rng.random(len(who)) < 0.02
    starts = (
        first + (rng.choice(24, len(who), p=_HOUR / _HOUR.sum()) * 3_600 + rng.integers(0, 3_600, len(who))) * _SECOND
    )
    attempt = np.repeat(np.arange(len(who)), failures + 1)
    attempt_number = np.arange(len(attempt)) - np.repeat(np.cumsum(failures + 1) - (failures + 1), failures + 1)
    country = np.where(travelling, rng.integers(0, len(COUNTRIES), len(who)), accounts.country[who])
    frames = [
        _logins(
            accounts.users.gather(who[attempt]),
            accounts.address(who, rng).gather(attempt),
            starts[attempt] + attempt_number * 8 * _SECOND,
            pl.Series(COUNTRIES).gather(country[attempt]),
            pl.Series(DEVICES).gather(accounts.devices[who[attempt], 0]),
            attempt_number == failures[attempt],
        )
    ]
    for event in schedule:
        low, high = max(event.start, first), min(event.end, first + DAY)
        if high > low and event.kind == "credential_stuffing":
            frames.append(_stuffing(size, event, low, high, rng))
        if high > low and event.kind == "account_sharing":
            frames.append(_shared(event, low, high, rng))
    rows = pl.concat(frames).sort("event_timestamp")
    return rows.with_columns(session=pl.format("{}-{}", pl.lit(day), pl.int_range(pl.len())))


def _stuffing(size: TelemetrySize, event: Event, low: int, high: int, rng: np.random.Generator) -> pl.DataFrame:
    rate = STUFFING[0] + event.strength * (STUFFING[1] - STUFFING[0])
    count = int(rate * (high - low) / MINUTE)
    user = pl.Series(names(size)["user_id"]).gather(rng.integers(0, size.accounts, count))
    return _logins(
        user,
        pl.Series([event.entity_id] * count),
        np.sort(rng.integers(low, high, count)),
        pl.Series(["RU"] * count),
        pl.Series(["web"] * count),
        rng.random(count) < 0.01,
    )


def _shared(event: Event, low: int, high: int, rng: np.random.Generator) -> pl.DataFrame:
    """Draw the logins to a shared account: the buyers log in soon after the sale."""
    count = 3 + int(event.strength * 4)
    at = np.sort(np.minimum(event.start + rng.exponential(20 * MINUTE, count).astype(np.int64), event.end - 1))
    inside = (at >= low) & (at < high)
    number = rng.integers(0, 250, count)
    rows = _logins(
        pl.Series([event.entity_id] * count),
        pl.Series([f"198.18.0.{last_byte}" for last_byte in number]),
        at,
        pl.Series(COUNTRIES).gather(rng.integers(0, len(COUNTRIES), count)),
        pl.Series(DEVICES).gather(rng.integers(0, len(DEVICES), count)),
        np.ones(count, bool),
    )
    return rows.filter(pl.Series(inside))


def _logins(
    user: pl.Series, address: pl.Series, at: np.ndarray, country: pl.Series, device: pl.Series, success: np.ndarray
) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "user_id": user,
            "client_ip": address,
            "country": country,
            "device": device,
            "success": success,
            "event_timestamp": pl.Series(at).cast(MICROSECONDS_UTC),
            "created_timestamp": pl.Series(at + _SECOND).cast(MICROSECONDS_UTC),
        },
        schema_overrides=dict.fromkeys(("user_id", "client_ip", "country", "device"), pl.String),
    )
