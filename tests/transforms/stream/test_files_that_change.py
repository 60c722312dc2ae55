"""Files that grow, are replaced, rotated, copied or half written: each event is read once, under any name."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from transforms.stream import file_place
from transforms.stream.sources import Batch, Lines


class Memory:
    """The memory of a reader: its Redis hash, as a dictionary."""

    def __init__(self) -> None:
        self.names = SimpleNamespace(reader="reader")
        self.fields: dict[bytes, bytes] = {}

    def ask(self, *command: Any) -> dict[bytes, bytes]:
        assert command == ("HGETALL", "reader")
        return dict(self.fields)

    def take(self, commands: list[tuple]) -> None:
        for name, _, *words in commands:
            if name == "HSET":
                self.fields[words[0]] = words[1].encode()
            else:
                for word in words:
                    del self.fields[word]


def read(memory: Memory, path: Path, most: int = 3) -> list[str]:
    """Returns the identifiers of the events that one run reads."""
    lines, identifiers = Lines(memory, path, "plays"), []  # type: ignore[arg-type]
    ends = False
    while not ends:
        batch = lines.begin(most, 0.0)()
        memory.take(batch.acknowledgements)
        identifiers += [json.loads(event.payload)["id"] for event in batch.events]
        ends = batch.ends
    return identifiers


def line(event: str) -> str:
    return json.dumps({"id": event}) + "\n"


def test_a_longer_file_in_its_place_is_read_from_its_beginning(tmp_path: Path) -> None:
    memory, path = Memory(), tmp_path / "today.jsonl"
    path.write_text(line("a") * 2)
    assert read(memory, path) == ["a", "a"]
    path.write_text("".join(map(line, "bcde")))
    assert read(memory, path) == [*"bcde"]
    path.write_text("".join(map(line, "fghi")))  # as long as before
    assert read(memory, path) == [*"fghi"]
    assert read(memory, path) == []


def test_one_byte_changed_in_the_middle_is_another_file(tmp_path: Path) -> None:
    memory, path = Memory(), tmp_path / "today.jsonl"
    events = [f"{number:06}" for number in range(2_000)]
    path.write_text("".join(map(line, events)))
    assert read(memory, path, 500) == events
    events[1_000] = "corrected"[:6]
    path.write_text("".join(map(line, events)))
    assert read(memory, path, 500) == events


def test_a_rotated_file_goes_on_under_its_new_name(tmp_path: Path) -> None:
    memory, path, rotated = Memory(), tmp_path / "today.jsonl", tmp_path / "today.jsonl.1"
    path.write_text(line("a"))
    assert read(memory, path) == ["a"]
    with path.open("a") as file:
        file.write(line("b"))
    path.rename(rotated)
    path.write_text(line("c"))
    assert read(memory, path) == ["c"]
    assert read(memory, rotated) == ["b"]
    assert read(memory, path) == read(memory, rotated) == []


def test_copied_and_emptied(tmp_path: Path) -> None:
    memory, path, rotated = Memory(), tmp_path / "today.jsonl", tmp_path / "today.jsonl.1"
    path.write_text(line("a") + line("b"))
    assert read(memory, path) == ["a", "b"]
    shutil.copy(path, rotated)
    path.write_text("")
    assert read(memory, path) == read(memory, rotated) == []
    path.write_text(line("c"))
    assert read(memory, path) == ["c"]


def test_a_copy_and_its_original_grow_apart(tmp_path: Path) -> None:
    memory, path, copied = Memory(), tmp_path / "one.jsonl", tmp_path / "other.jsonl"
    path.write_text(line("a"))
    assert read(memory, path) == ["a"]
    shutil.copy(path, copied)
    for target, event in ((path, "b"), (copied, "c"), (path, "d")):
        with target.open("a") as file:
            file.write(line(event))
        assert read(memory, target) == [event]


def test_a_half_written_line_waits_and_a_whole_one_does_not(tmp_path: Path) -> None:
    memory, path = Memory(), tmp_path / "today.jsonl"
    path.write_text(line("a") + '{"id": "b"')
    lines = Lines(memory, path, "plays")  # type: ignore[arg-type]
    first, second = lines.begin(10, 0.0)(), lines.begin(10, 0.0)()
    memory.take(first.acknowledgements)
    assert [event.payload for event in first.events] == [line("a").strip().encode()]
    assert second == Batch(ends=True)
    assert "10 bytes and no end" in lines.remarks[0]
    path.write_text(line("a") + '{"id": "b"}')
    assert read(memory, path) == ["b"]
    path.write_text(line("a") + '{"id": "b"}\n\n' + line("c"))
    assert read(memory, path) == ["c"]


def test_what_a_version_kept_that_knew_a_file_by_its_path(tmp_path: Path) -> None:
    memory, path = Memory(), tmp_path / "today.jsonl"
    memory.fields[f"{file_place.FIELD}{path}".encode()] = str(len(line("a"))).encode()
    path.write_text(line("a") + line("b"))
    assert read(memory, path) == ["b"]
    assert read(memory, path) == []


def test_old_files_are_forgotten(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(file_place, "RECORDS", 3)
    memory = Memory()
    for event in "abcdef":
        path = tmp_path / event
        path.write_text(line(event))
        assert read(memory, path) == [event]
    assert len(memory.fields) == 3


STEPS = st.lists(
    st.sampled_from(["append", "append half", "end line", "replace", "rotate", "empty", "read", "read rotated"]),
    max_size=25,
)


@given(STEPS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_event_once_after_any_steps(tmp_path: Path, steps: list[str]) -> None:
    """A file is read before it is replaced or emptied, as with logrotate; then no event is lost or repeated."""
    memory, path, rotated = Memory(), tmp_path / "today.jsonl", tmp_path / "today.jsonl.1"
    for file_path in (path, rotated):
        file_path.unlink(missing_ok=True)
    path.touch()
    written, read_events, rest_of_line, number = [], [], "", 0
    for step in steps:
        if step in ("append", "append half") and not rest_of_line:
            event = str(number := number + 1)
            text = line(event)
            rest_of_line = text[5:] if step == "append half" else ""
            with path.open("a") as file:
                file.write(text[:5] if rest_of_line else text)
            written.append(event)
        elif step == "end line":
            with path.open("a") as file:
                file.write(rest_of_line)
            rest_of_line = ""
        elif step in ("replace", "empty") and not rest_of_line:
            read_events += read(memory, path)
            event = str(number := number + 1)
            path.write_text(line(event) * (step == "replace"))
            written += [event] * (step == "replace")
        elif step == "rotate" and not rest_of_line:
            if rotated.exists():
                read_events += read(memory, rotated)
            path.rename(rotated)
            path.touch()
        elif step == "read":
            read_events += read(memory, path)
        elif step == "read rotated" and rotated.exists():
            read_events += read(memory, rotated)
    with path.open("a") as file:
        file.write(rest_of_line)
    for file_path in (path, rotated):
        read_events += read(memory, file_path) if file_path.exists() else []
    assert sorted(read_events) == sorted(written)
