"""Status of the stream as lines of text: counts, waiting events, reader and refused events."""

from feature_repo.events import Names
from feature_repo.home import Home
from feature_repo.packed.address import Address
from feature_repo.packed.server import READ_TIMEOUT, open_server
from transforms.stream.log import Log
from transforms.stream.sources import GROUP

MOST_COUNTED = 100_000
_COUNT = "return #redis.call('XRANGE', KEYS[1], ARGV[1], '+', 'COUNT', ARGV[2])"


def lines(home: Home, dead: int) -> list[str]:
    """Lists the reader, the number of waiting events, counts by outcome, and the newest ``dead`` refused events.

    Raises:
        OnlineUnavailable: Redis does not answer.
    """
    log = Log(open_server(home, Address.from_env(), READ_TIMEOUT), Names(home.project), patience=0.0)
    names = log.names
    counts = {name.decode(): int(count) for name, count in _pairs(log.ask("HGETALL", names.counts))}
    groups = log.ask("XINFO", "GROUPS", names.stream) if log.ask("EXISTS", names.stream) else []
    group = next((fields for fields in map(_to_dict, groups) if fields["name"] == GROUP.encode()), {})
    reader = log.ask("GET", names.lease)
    out = [
        f"reader    {reader.decode() if reader else 'none: refrain stream'}",
        f"waiting   {_waiting(log, group)} events",
        *(f"{name:20}{counts[name]:>12,}" for name in sorted(counts)),
    ]
    for _, fields in log.ask("XREVRANGE", names.dead, "+", "-", "COUNT", max(dead, 1))[:dead]:
        refused = _to_dict(fields)
        event = refused["event"].decode(errors="replace")
        out.append(f"refused   {refused['reason'].decode()}: {event[:120]!r}{'…' if len(event) > 120 else ''}")
    return out


def _waiting(log: Log, group: dict) -> str:
    """Number of events that were not read yet, or were read and not counted yet."""
    name, last = log.names.stream, group.get("last-delivered-id", b"0-0")
    unread = int(log.ask("EVAL", _COUNT, 1, name, b"(" + last, MOST_COUNTED) if log.ask("EXISTS", name) else 0)
    more = " or more" if unread == MOST_COUNTED else ""
    return f"{unread + int(group.get('pending') or 0):,}{more}"


def _pairs(flat: list | dict) -> list[tuple[bytes, bytes]]:
    return list(flat.items()) if isinstance(flat, dict) else list(zip(flat[::2], flat[1::2], strict=True))


def _to_dict(flat: list | dict) -> dict:
    return {(name.decode() if isinstance(name, bytes) else name): value for name, value in _pairs(flat)}
