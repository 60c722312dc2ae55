"""What one line of a record says of one person, where it is about many: for the export of that person."""

from typing import Any

import msgspec

from refrain.person.scan import PersonKey

_BY_ROW = ("keys", "request", "values", "events")
"""Parts of a logged lookup whose lists have one element a row."""


def own_part(line: bytes, person: PersonKey, id_: str) -> bytes:
    """Returns a line without what it says of others: their rows of a lookup, their ids in an act of the audit log.

    Args:
        line: a line of JSON that mentions the person; another one is returned as it is.
        person: the key of people.
        id_: the id of the person.

    >>> user = PersonKey("user_id", frozenset({"user_id"}))
    >>> own_part(b'{"act":"features","keys":{"user_id":["u1","u2"]}}', user, "u2")
    b'{"act":"features","keys":{"user_id":["u2"]},"others_left_out":1}\\n'
    >>> own_part(b'{"keys":{"user_id":["u1","u2"]},"values":{"plays":[3,5]}}', user, "u2")
    b'{"keys":{"user_id":["u2"]},"values":{"plays":[5]},"others_left_out":1}\\n'
    """
    try:
        document = msgspec.json.decode(line)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return line
    if not isinstance(document, dict):
        return line
    columns = {person.key, *person.columns}
    keys = document.get("keys")
    if "values" in document and isinstance(keys, dict):
        ids: list[Any] = next((keys[name] for name in sorted(columns) if isinstance(keys.get(name), list)), [])
        places = [place for place, value in enumerate(ids) if str(value) == id_]
        for part in _BY_ROW if places else ():
            document[part] = _rows(document.get(part), len(ids), places)
        left_out = len(ids) - len(places)
    else:
        left_out = _drop_others(document, columns, id_)
    if not left_out:
        return line
    return msgspec.json.encode(document | {"others_left_out": left_out}) + b"\n"


def _rows(part: Any, count: int, places: list[int]) -> Any:
    """The rows at some places of a part of a lookup."""
    if not isinstance(part, dict):
        return part
    return {
        name: [values[place] for place in places] if isinstance(values, list) and len(values) == count else values
        for name, values in part.items()
    }


def _drop_others(value: Any, columns: set[str], id_: str) -> int:
    """Drops other ids from lists of ids, at any depth; returns their number."""
    count = 0
    if isinstance(value, list):
        return sum(_drop_others(item, columns, id_) for item in value)
    for name, inner in value.items() if isinstance(value, dict) else ():
        if name in columns and isinstance(inner, list):
            own = [item for item in inner if str(item) == id_]
            count += len(inner) - len(own)
            value[name] = own
        else:
            count += _drop_others(inner, columns, id_)
    return count
