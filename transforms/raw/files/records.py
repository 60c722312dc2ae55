"""The records of JSON: the elements of an array, one object a line, or a list within one object."""

import json
import re
import shlex
from collections.abc import Callable, Iterator
from functools import cache, partial
from itertools import chain, islice
from typing import IO, Any, TypeVar, overload

import ijson
import msgspec

from feature_repo.errors import InputError
from transforms.raw.files import text as texts
from transforms.raw.files.json_arrays import UNDECODABLE, decoded_batches
from transforms.raw.files.json_elements import Element, damaged_elements
from transforms.raw.files.members import Member
from transforms.raw.files.rows import BATCH_ROWS, Malformed, RowBatch, batched
from transforms.raw.files.streams import BLOCK
from transforms.raw.files.text import LONGEST_LINE, SHOWN, storable, utf8_bytes

WHOLE_BYTES = 128 << 20
"""A member up to this size is read at once, which is faster and finds the rows behind a damaged one."""

_SAMPLE = 1 << 16
_MOST_LINES = 100
_AROUND = b" \t\r\n,"
"""What may stand around a record on its line: lists are cut into lines with their commas."""

_BETWEEN_OBJECTS = re.compile(rb"\}[\s,]*\{")
_GOT = re.compile(r"Expected `(object|[^`]*)`, got `([^`]*)`(?: - at `\$\.?(.*)`)?")

T = TypeVar("T")


@overload
def records(member: Member, *places: str, size: int = BATCH_ROWS) -> Iterator[RowBatch[dict[str, Any]]]: ...
@overload
def records(member: Member, *places: str, shape: type[T], size: int = BATCH_ROWS) -> Iterator[RowBatch[T]]: ...
def records(member: Member, *places: str, shape: Any = dict, size: int = BATCH_ROWS) -> Iterator[RowBatch[Any]]:
    """Yields the records of a member in batches, in bounded memory.

    A record that is damaged or of another shape is malformed; the others are read. Integers keep all their digits.

    Args:
        member: JSON in any Unicode encoding: an array, one object a line, or one object.
        places: where in one object the records are, such as ``payload.listens``; the first that is there counts. A
            single object in the place of a list is one record. Without a place, the object is the one record.
        shape: type of the records: ``dict``, or a ``msgspec.Struct`` with the fields that are wanted, which is faster.
        size: records of a batch, malformed ones included.

    Raises:
        InputError: the member is no JSON, breaks off, or has none of the places; after the records before that point.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from transforms.raw.files.members import single
    >>> path = Path(tempfile.mkdtemp()) / "listens.json"
    >>> _ = path.write_text('{"payload": {"listens": [{"id": 1}, null, {"id": 2}]}}')
    >>> batch = next(records(single(path), "payload.listens"))
    >>> batch.rows, batch.malformed
    ([{'id': 1}, {'id': 2}], [Malformed(reason='null in the place of an object', row='null')])
    """
    form = _form(member, places)
    if form == "lines":
        yield from _lines(member, places, shape, size)
        return
    data, failure = _read(member)
    if data is None:
        yield from _streamed(member, form, places, shape, size)
        return
    batches = _undamaged(member, data, shape, size) if form == "array" and shape is not dict else iter(())
    count = 0
    try:
        for batch in batches:
            yield batch
            count += 1
    except UNDECODABLE:
        is_whole = False
    else:
        is_whole = count > 0
    if not is_whole:
        decode, elements = _decoder(shape), _whole_elements(member, data, form, places)
        decoded = (element if isinstance(element, Malformed) else decode(element) for element in elements)
        yield from islice(batched(decoded, size, member.size), count, None)  # the others are those before the damage
    if failure:
        raise failure


def first_object(member: Member) -> dict[str, Any]:
    """The first object of a member: of an array the first element, of lines the first, else all of it; {} if none.

    For recognizing what a file is; of a large array or of lines, it reads only the beginning.
    """
    try:
        with utf8_bytes(member) as (handle, _):
            head = handle.read(_SAMPLE).decode(errors="replace").lstrip()
        for element in damaged_elements(head, "", head.startswith("[")):
            if not isinstance(element, Malformed) and element.lstrip().startswith(b"{"):
                return dict(msgspec.json.decode(element))
        return next((batch.rows[0] for batch in records(member) if batch.rows), {})
    except (InputError, msgspec.MsgspecError, RecursionError):
        return {}


def value_at(value: Any, place: str) -> Any:
    """The value at a place such as ``recenttracks.@attr.user`` within objects; None if there is none.

    >>> value_at({"a": {"b": 1}}, "a.b")
    1
    """
    for key in place.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _form(member: Member, places: tuple[str, ...]) -> str:
    """Recognizes ``array``, ``lines`` or ``object`` by the first two lines."""
    first, second = _first_lines(member)
    if not first:
        raise _no_json(member, "an empty file")
    if first.startswith(b"["):
        return "array"
    if first.startswith(b"{"):
        if not _is_whole(first):
            is_single = not second.startswith(b"{") and (second or len(first) > LONGEST_LINE or places)
            return "object" if is_single else "lines"
        return "object" if not second and places and _has_place(first, places) else "lines"
    if second.startswith(b"{"):
        return "lines"
    raise _no_json(member, f"{storable(first[:40].decode(errors='replace'))!r}")


def _first_lines(member: Member) -> tuple[bytes, bytes]:
    """The first two lines that are not empty, without spaces around them, as far as they can be read."""
    head = bytearray()
    with utf8_bytes(member) as (handle, _):
        while len(head) <= LONGEST_LINE:
            try:
                block = handle.read1(BLOCK)
            except InputError:
                if not head.strip():
                    raise
                break
            head += block
            content = bytes(head[:_SAMPLE]).lstrip()
            if not block or content.startswith(b"[") or b"\n{" in block or head.count(b"\n") > _MOST_LINES:
                break
    first, _, rest = bytes(head).lstrip().partition(b"\n")
    return first.rstrip(), rest.lstrip()[:_SAMPLE].partition(b"\n")[0]


def _is_whole(data: bytes) -> bool:
    try:
        msgspec.json.decode(data, type=msgspec.Raw)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return False
    return True


def _has_place(data: bytes | bytearray, places: tuple[str, ...]) -> bool:
    return any(f'"{place.split(".")[0]}"'.encode() in data for place in places)


def _read(member: Member) -> tuple[bytearray | None, InputError | None]:
    """Reads a member as UTF-8: None if it is too large; what could be read, and the error, if it breaks off."""
    data = bytearray()
    try:
        with utf8_bytes(member) as (handle, _):
            for block in iter(partial(handle.read1, BLOCK), b""):
                data += block
                if len(data) > WHOLE_BYTES:
                    return None, None
    except InputError as error:
        return data, error
    return data, None


def _undamaged(member: Member, data: bytes | bytearray, shape: Any, size: int) -> Iterator[RowBatch[Any]]:
    """The batches of an array as far as it is without damage; raises ``UNDECODABLE`` there. None if it is no UTF-8."""
    if _is_utf8(data):
        for rows, is_last in decoded_batches(data, shape, size):
            yield RowBatch(rows, done=member.size if is_last else 0)


def _whole_elements(member: Member, data: bytes | bytearray, form: str, places: tuple[str, ...]) -> Iterator[Element]:
    if not _is_utf8(data) and texts.recognize(member).encoding == "cp1252":
        data = data.decode("cp1252", "replace").encode()
    try:
        located = _located(member, msgspec.Raw(data), form, places)
        elements = msgspec.json.decode(located, type=list[msgspec.Raw]) if _first(located) == b"[" else [located]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        place = "" if form == "array" else next((place for place in places if _has_place(data, (place,))), "")
        yield from damaged_elements(data.decode(errors="surrogateescape"), place, is_array=form == "array")
        return
    yield from elements


def _located(member: Member, content: msgspec.Raw, form: str, places: tuple[str, ...]) -> msgspec.Raw:
    """The list, or the object, at the first place that is there."""
    if form == "array" or not places:
        return content
    value = _at_first_place(content, places)
    if value is not None:
        return value
    keys = list(msgspec.json.decode(content, type=dict[str, msgspec.Raw]))
    raise InputError(
        expected=f"JSON with {' or '.join(places)} in {member.place}",
        found=f"an object with {', '.join(storable(repr(key)) for key in keys[:8]) or 'nothing'}",
        next_command=f"head -c 300 {shlex.quote(str(member.path))}",
    )


def _at_first_place(content: msgspec.Raw, places: tuple[str, ...]) -> msgspec.Raw | None:
    for place in places:
        value: msgspec.Raw | None = content
        for key in place.split("."):
            is_object = value is not None and _first(value) == b"{"
            value = msgspec.json.decode(value, type=dict[str, msgspec.Raw]).get(key) if is_object else None  # type: ignore[arg-type]
        if value is not None:
            return value
    return None


def _of_page(line: bytes, places: tuple[str, ...]) -> list[bytes]:
    """The records of a line that is an object with a list, or one of them, at one of the places; else the line."""
    try:
        value = _at_first_place(msgspec.Raw(line), places) if _has_place(line, places) else None
        if value is not None and _first(value) == b"[":
            return list(map(bytes, msgspec.json.decode(value, type=list[msgspec.Raw])))
        return [bytes(value)] if value is not None and _first(value) == b"{" else [line]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return [line]


def _lines(member: Member, places: tuple[str, ...], shape: Any, size: int) -> Iterator[RowBatch[Any]]:
    decode = _line_decoder(member, shape)
    at_once = msgspec.json.Decoder(dict[str, Any] if shape is dict else shape).decode_lines

    def records_of(line: bytes) -> Iterator[Any]:
        record = decode(line)
        if not isinstance(record, Malformed) or not _BETWEEN_OBJECTS.search(line):
            yield record
            return
        place = next((place for place in places if _has_place(line, (place,))), "")
        elements = list(damaged_elements(line.decode(errors="surrogateescape"), place, is_array=False))
        is_joined = len(elements) > 1 and not isinstance(elements[0], Malformed)
        yield from (
            (element if isinstance(element, Malformed) else decode(element) for element in elements)
            if is_joined
            else [record]
        )

    def decoded(handle: IO[bytes]) -> Iterator[Any]:
        while lines := _block_of_lines(handle, size):
            contents = [content for line in lines if (content := line.strip(_AROUND))]
            if any(_has_place(content, places) for content in contents):
                contents = [record for content in contents for record in _of_page(content, places)]
            yield from _decoded(contents, at_once) or chain.from_iterable(map(records_of, contents))

    with utf8_bytes(member) as (handle, position):
        yield from batched(decoded(handle), size, member.size, position)


def _block_of_lines(handle: IO[bytes], most: int) -> list[bytes]:
    """The next lines, of one block or little more; those before a place where the member breaks off, if there are."""
    lines: list[bytes] = []
    read = 0
    try:
        while read < BLOCK and len(lines) < most and (line := handle.readline(LONGEST_LINE)):
            lines.append(line)
            read += len(line)
    except InputError:
        if not lines:
            raise  # once more, as the next block has none
    return lines


def _decoded(lines: list[bytes], at_once: Callable[[bytes], list[Any]]) -> list[Any]:
    """The records of whole lines, decoded at once; none if one of them is damaged."""
    data = b"\n".join(lines)
    try:
        rows = at_once(data) if _is_utf8(data) else []
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return []
    return rows if len(rows) == len(lines) else []


def _line_decoder(member: Member, shape: Any) -> Callable[[bytes], Any]:
    """A function that decodes one line, in the encoding of its file if it is no UTF-8."""
    decode = _decoder(shape)
    encoding = cache(lambda: texts.recognize(member).encoding)

    def record(line: bytes) -> Any:
        if _is_utf8(line):
            return decode(line)
        content = line.decode(encoding(), "surrogateescape").encode(errors="replace")
        return decode(content) if encoding() == "cp1252" else _not_utf8(content)

    return record


def _streamed(member: Member, form: str, places: tuple[str, ...], shape: Any, size: int) -> Iterator[RowBatch[Any]]:
    """Yields the records of a large array; what follows a damaged record is lost."""

    def values(handle: IO[bytes], prefix: str) -> Iterator[Any]:
        try:
            for value in ijson.items(handle, prefix, use_float=True, multiple_values=True):
                yield _converted(value, shape)
        except (ijson.JSONError, ValueError, OverflowError, RecursionError) as error:
            yield Malformed(f"cut short or no JSON: {storable(str(error).splitlines()[0])}", "")

    first: RowBatch[Any] = RowBatch(done=member.size)
    for prefix in ["item"] if form == "array" else [f"{place}.item" for place in places]:
        with utf8_bytes(member) as (handle, position):
            batches = batched(values(handle, prefix), size, member.size, position)
            first = next(batches)
            if len(first):
                yield first
                yield from batches
                return
    yield first


def _decoder(shape: Any) -> Callable[[Any], Any]:
    """A function that decodes one record; returns ``Malformed`` where that fails."""
    decode = msgspec.json.Decoder(dict[str, Any] if shape is dict else shape).decode

    def record(raw: Any) -> Any:
        try:
            return decode(raw)
        except msgspec.ValidationError as error:
            return Malformed(_reason(error), _shown(raw))
        except (UnicodeDecodeError, msgspec.DecodeError, RecursionError):
            return _second_reading(raw, shape)

    return record


def _second_reading(raw: Any, shape: Any) -> Any:
    """Decodes what Python writes and JSON does not permit, such as NaN; else returns the reason."""
    try:
        value = json.loads(bytes(raw))
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeDecodeError:
        return _not_utf8(raw)
    except UnicodeEncodeError:
        return Malformed("a text that UTF-8 cannot hold", _shown(raw))
    except (ValueError, RecursionError):
        return Malformed("no JSON, or cut short", _shown(raw))
    return _converted(value, shape)


def _converted(value: Any, shape: Any) -> Any:
    try:
        return msgspec.convert(value, dict[str, Any] if shape is dict else shape)
    except (msgspec.ValidationError, RecursionError) as error:
        return Malformed(_reason(error), storable(repr(value)))


def _reason(error: Exception) -> str:
    match = _GOT.match(str(error))
    if match is None:
        return str(error)
    expected, kind, place = match.groups()
    return f"{place}: {kind} in the place of {expected}" if place else f"{kind} in the place of an {expected}"


def _not_utf8(raw: Any) -> Malformed:
    return Malformed("bytes that are not UTF-8", _shown(raw))


def _shown(raw: Any) -> str:
    return storable(bytes(memoryview(raw)[: 4 * SHOWN]).decode(errors="replace"))


def _first(raw: Any) -> bytes:
    return bytes(memoryview(raw)[:_SAMPLE]).lstrip()[:1]


def _is_utf8(data: bytes | bytearray) -> bool:
    try:
        data.isascii() or data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _no_json(member: Member, found: str) -> InputError:
    return InputError(
        expected=f"JSON (an array, one object a line, or one object) in {member.place}",
        found=found,
        next_command=f"head -c 300 {shlex.quote(str(member.path))}",
    )
