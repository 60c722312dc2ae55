"""A contract binds imports: rows that violate it are quarantined with a reason, others are stored."""

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from feature_repo.errors import InputError
from feature_repo.home import Home
from tests.refrain.data_contract.conftest import column, plays
from transforms.raw import contracted
from transforms.raw.ingest import Batch, ingest
from transforms.raw.known_sources import content_of
from transforms.raw.read import scan

Agreed = Callable[..., Path]


def _stored(home: Home) -> int:
    return int(scan(home, "plays").select(pl.len()).collect().item())


def _quarantined(home: Home) -> pl.DataFrame:
    return pl.concat([pl.read_parquet(path) for path in home.quarantine("plays").glob("*.parquet")])


def _at_most(limit: int) -> Callable[[dict], None]:
    return lambda contract: column(contract, "ms_played")["logicalTypeOptions"].update(maximum=limit)


def test_rows_that_violate_the_contract_are_quarantined(home: Home, agreed: Agreed) -> None:
    agreed(_at_most(1_029))
    report = ingest(home, "test", [Batch("plays", plays(1, 50))])
    assert _stored(home) == 30
    assert report.tables["plays"].quarantined == 20
    assert report.tables["plays"].reasons == {"contract: ms_played is above 1029": 20}
    refused = _quarantined(home)
    assert refused.height == 20
    assert '"ms_played": 1030' in "".join(refused["row"])


def test_a_row_that_breaks_several_rules_has_one_reason(home: Home, agreed: Agreed) -> None:
    agreed(lambda contract: (_at_most(10)(contract), column(contract, "artist_id").update(required=True)))
    ingest(home, "test", [Batch("plays", plays(1, 1))])
    (reason,) = _quarantined(home)["reason"].to_list()
    assert reason == "contract: artist_id is missing; ms_played is above 10"


def test_a_contract_as_declared_changes_nothing(home: Home, agreed: Agreed) -> None:
    agreed()
    ingest(home, "test", [Batch("plays", plays(2, 30))])
    assert _stored(home) == 60


@pytest.mark.parametrize("status", ["draft", "retired"])
def test_a_contract_that_does_not_bind_refuses_nothing(home: Home, agreed: Agreed, status: str) -> None:
    agreed(lambda contract: (_at_most(10)(contract), contract.update(status=status)))
    ingest(home, "test", [Batch("plays", plays(1, 30))])
    assert _stored(home) == 30


def test_a_changed_contract_has_the_source_read_again(home: Home, agreed: Agreed, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_text("plays")
    agreed(_at_most(1_029))
    ingest(home, "test", [Batch("plays", plays(1, 50))], content=content_of(source))
    agreed(_at_most(1_050))
    ingest(home, "test", [Batch("plays", plays(1, 50))], content=content_of(source))
    assert _stored(home) == 50


def test_an_invalid_contract_stops_the_import(home: Home, agreed: Agreed) -> None:
    path = agreed()
    path.write_text("kind: [")
    with pytest.raises(InputError, match="YAML document"):
        ingest(home, "test", [Batch("plays", plays(1, 50))])
    assert _stored(home) == 0


def test_without_contracts_an_import_reads_none(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contracted, "_rules", lambda *_: pytest.fail("a contract was read"))
    ingest(home, "test", [Batch("plays", plays(1, 50))])
    assert _stored(home) == 50
