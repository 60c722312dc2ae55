"""Rosters: read from a file of its owner alone, with keys of their own for all, none of them revoked."""

from pathlib import Path

import pytest

from feature_repo.errors import InputError
from feature_repo.signing.trust import Pin, Trust
from training.private.secure_aggregation.roster import Roster

KEYS = [f"ed25519:{number:064x}" for number in range(300)]
TEXT = f"""coordinator = "{KEYS[0]}"
[silos]
south = "{KEYS[2]}"
north = "{KEYS[1]}"
"""


def write(folder: Path, text: str, mode: int = 0o644) -> Path:
    file = folder / "roster.toml"
    file.write_text(text)
    file.chmod(mode)
    return file


def test_a_file_is_read_in_order_of_names(tmp_path: Path) -> None:
    roster = Roster.load(write(tmp_path, TEXT), Trust())
    assert roster == Roster(KEYS[0], {"north": KEYS[1].upper().replace("ED", "ed"), "south": KEYS[2]})
    assert list(roster.silos) == ["north", "south"] and roster.point_of("south") == 2
    assert roster.digest != Roster(KEYS[3], roster.silos).digest
    assert roster.digest != Roster(KEYS[0], {"north": KEYS[2], "south": KEYS[1]}).digest
    assert roster.key_of("coordinator") == KEYS[0] and roster.key_of("stranger") is None


@pytest.mark.parametrize(("silos", "least", "recommended"), [(2, 2, 2), (3, 2, 3), (4, 3, 3), (9, 5, 7), (20, 11, 14)])
def test_thresholds(silos: int, least: int, recommended: int) -> None:
    roster = Roster(KEYS[0], {f"silo{number}": KEYS[number] for number in range(1, silos + 1)})
    assert (roster.least_threshold, roster.recommended_threshold) == (least, recommended)
    colluding = 2 * recommended - silos - 1  # the most for which 2t > n + c
    assert colluding >= 0 and 2 * least > silos


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("", r"not coordinator and \[silos\]"),
        (TEXT.replace(KEYS[1], "abc"), "a public key"),
        (TEXT.replace(KEYS[1], KEYS[2]), "2 silos, 2 different keys"),
        (TEXT.replace(KEYS[1], KEYS[0]), "2 silos, 2 different keys"),
        (TEXT.replace("north", "coordinator"), "the name 'coordinator'"),
        (TEXT.replace("north", '"../x"'), "the name '../x'"),
        (TEXT.replace(f'north = "{KEYS[1]}"', ""), "1 silos"),
        (TEXT.replace(f'"{KEYS[1]}"', "3"), "a key of .silos. that is no text"),
        (TEXT + "[others]\n", "not coordinator and"),
        ("coordinator = ", "a roster in .*roster.toml"),
        (TEXT + "".join(f'n{number} = "{KEYS[number]}"\n' for number in range(3, 257)), "256 silos"),
    ],
)
def test_what_is_no_roster(tmp_path: Path, text: str, pattern: str) -> None:
    with pytest.raises(InputError, match=pattern):
        Roster.load(write(tmp_path, text))


def test_a_file_that_others_write_and_keys_that_are_revoked(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="mode 664: others can write it"):
        Roster.load(write(tmp_path, TEXT, 0o664))
    for number, name in enumerate(("coordinator", "north", "south")):
        with pytest.raises(InputError, match=f"a key of {name} that is revoked"):
            Roster.load(write(tmp_path, TEXT), Trust(revoked={KEYS[number]: Pin("here")}))
    with pytest.raises(InputError, match="No such file"):
        Roster.load(tmp_path / "absent.toml")
