"""What a backup has of a data folder: all that cannot be made again.

Tables of features, tiles, models, reports and what is online are made of these by a build, a training and a
materialization. Models are left out for another reason, too: what they learned of people is in nobody's piece.
"""

from collections.abc import Iterator
from pathlib import Path

from feature_repo.home import Home
from refrain.person.erasure.journal import unfinished
from refrain.person.erasure.records import LINES, is_parquet
from refrain.person.scan import is_of_tenant
from transforms.raw.declared import raw_tables

RECORDS = ("quarantine", "lookups", "impressions", "predictions", "exposures", "audit_log")
"""Folders of records: a row or a line is of those whom it mentions."""
DECISIONS = ("cursors", "contracts", "annex_iv", "retention", "erasures", "privacy")
"""Folders of what was decided or noted."""
ANSWERED = ("security/joined_rounds-{tenant}", "pipeline/tenant={tenant}/federated_answered")
"""Folders of what a silo has answered in sums with others, which a restored one must not answer again."""
_SINGLE = (
    *("experiments-{tenant}.json", "security/forgotten-{tenant}.json", "security/pseudonyms-{tenant}.key"),
    "security/privacy-{tenant}.json",
)


def raw_files(home: Home) -> Iterator[tuple[str, list[Path]]]:
    """Yields the raw tables and their files, those with left-out repetitions included."""
    for name in raw_tables(home):
        files = [path for path in _files(home, f"raw/{name}") if is_parquet(path)]
        if files:
            yield name, files


def record_files(home: Home) -> tuple[list[Path], list[Path]]:
    """The files of records: tables, and lines."""
    files = [path for name in RECORDS for path in _files(home, name)]
    tables = [path for path in files if is_parquet(path)]
    return tables, [path for path in files if path.suffix in LINES and path not in set(tables)]


def single_files(home: Home) -> list[Path]:
    """The other files: decisions, privacy budgets, what was answered to other silos, experiments, digests of forgotten
    people, the key of pseudonyms."""
    folders = (*DECISIONS, *(pattern.format(tenant=home.tenant) for pattern in ANSWERED))
    files = [path for name in folders for path in _files(home, name)]
    named = [home.root / pattern.format(tenant=home.tenant) for pattern in _SINGLE]
    return sorted({*files, *(path for path in named if path.is_file())})


def has_unfinished_erasure(home: Home) -> bool:
    """Whether an erasure was begun and not finished."""
    return unfinished(home) is not None


def _files(home: Home, folder: str) -> list[Path]:
    """The files below a folder that are of the tenant, without hidden ones: caches, locks, what is being written."""
    paths = [path for path in (home.root / folder).rglob("*") if path.is_file() and not path.is_symlink()]
    inside = [path for path in paths if is_of_tenant(path.relative_to(home.root), home.tenant)]
    return sorted(path for path in inside if not any(p.startswith(".") for p in path.relative_to(home.root).parts))
