"""Pulls of training sets in the audit log: which features, of how many rows and people, and whose.

Up to ``feature_repo.audit_lines.MAX_KEYS`` people are named. Of a larger set the line has the digest of the spine: a
set that was saved has it in its ``manifest.json``, beside the spine with the ids; otherwise the spine has to be made
again.
"""

from collections.abc import Mapping

import polars as pl

from feature_repo.audit_lines import MAX_KEYS, Detail, whose, write_act
from feature_repo.home import Home
from feature_repo.people import PEOPLE
from training.datasets.digests import DIGEST_ROWS, digest
from training.datasets.spine import SpineTable


def write_pull(home: Home, service: str, features: list[str], spine: SpineTable, under: Mapping[str, str]) -> None:
    """Writes a pull of a training set about people, before it is read; nothing of other sets.

    Args:
        home: the data folder.
        service: name of the feature service.
        features: names of the features of the set.
        spine: its rows.
        under: fields of the role under which it is pulled.

    Raises:
        StoreError: the log is required and cannot be written.
    """
    keys = sorted(PEOPLE & spine.schema.keys())
    if not keys:
        return
    people = {key: spine.rows.lazy().select(pl.col(key).unique()).collect().to_series().drop_nulls() for key in keys}
    counted = max(len(ids) for ids in people.values())
    fields: dict[str, Detail] = {
        "service": service,
        "features": features,
        "rows": spine.height(),
        "people": counted,
        **under,
    }
    if counted <= MAX_KEYS:
        fields |= whose({key: ids.sort().to_list() for key, ids in people.items()})
    else:
        fields["spine_digest"] = digest(spine.batches(DIGEST_ROWS))
    write_act(home, "training set", **fields)
