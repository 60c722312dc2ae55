"""Which plays are stored of a set of reports, as it is defined: one pass over all reports of a recording, in pairs."""

from datetime import timedelta
from typing import Any

Report = dict[str, Any]
PAYLOAD = ("artist_id", "ms_played", "skipped", "context", "device", "recording", "reported_by", "precision_s")


def stored_plays(reports: list[Report]) -> list[Report]:
    """The reports that a table has after all of them, by time."""
    events: dict[tuple, list[Report]] = {}
    for report in reports:
        events.setdefault((report["event_timestamp"], report["user_id"], report["track_id"]), []).append(report)
    newest = {key: max(versions, key=_version) for key, versions in events.items()}
    forms = {key: {version["reported_by"] for version in versions} - {None} for key, versions in events.items()}
    groups: dict[tuple, list[tuple]] = {}
    stored = []
    for key, report in newest.items():
        if report["recording"] is None or report["reported_by"] is None or (report["precision_s"] or 1) > 3600:
            stored.append(report)
        else:
            groups.setdefault((report["user_id"], report["recording"]), []).append(key)
    for keys in groups.values():
        plays: list[list[tuple]] = []
        for key in sorted(keys, key=lambda key: (newest[key]["precision_s"] or 1, newest[key]["reported_by"], key)):
            free = [
                play
                for play in sorted(plays, key=lambda play: play[0])
                if not forms[key] & {form for member in play for form in forms[member]}
                and _agree(newest[key], newest[play[0]])
            ]
            equal = [play for play in free if newest[play[0]]["ms_played"] == newest[key]["ms_played"]]
            if free:
                (equal or free)[0].append(key)
            else:
                plays.append([key])
        stored += [newest[min(play, key=lambda key: _rank(key, newest[key]))] for play in plays]
    return sorted(stored, key=lambda report: (report["event_timestamp"], report["user_id"], report["track_id"]))


def _version(report: Report) -> tuple:
    values = [report[name] for name in PAYLOAD]
    return report["created_timestamp"], *((value is None, value or 0) for value in values)


def _rank(key: tuple, report: Report) -> tuple:
    return report["precision_s"] or 1, report["ms_played"] is None, report["reported_by"], key


def _agree(one: Report, other: Report) -> bool:
    first, second = sorted((one, other), key=lambda report: report["event_timestamp"])
    lengths = [report["ms_played"] for report in (one, other) if report["ms_played"] is not None]
    if len(lengths) == 2 and abs(lengths[0] - lengths[1]) > 1_000:
        return False
    slack_ms = min([10_000, *lengths])
    reach = timedelta(seconds=first["precision_s"] or 1, milliseconds=slack_ms)
    return second["event_timestamp"] - first["event_timestamp"] < reach
