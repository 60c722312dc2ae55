"""The sums of a version, kept beside its bundle: of items, by their ids, and of no person."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import sparse

from training.exact.sums import Sums, Table
from transforms.pure import npz

FILE = "sums.npz"
"""File of a bundle: the sums that parts of it were solved from."""
_ITEMS, _CUTOFF = "items", "cutoff"


@dataclass(frozen=True)
class KeptSums:
    """Sums with the ids of their items.

    Attributes:
        items: sorted ids of the columns, and of the rows of square tables.
        cutoff: µs since 1970 UTC; only what was before it is in the sums.
        sums: the tables.

    >>> kept = KeptSums(["a", "b"], 7, Sums({"plays": Table.of(sparse.csr_array([[3, 0]]), 3, "plays")}))
    >>> again = KeptSums.from_bytes(kept.to_bytes())
    >>> again.items, again.cutoff, again.sums["plays"].toarray().tolist()
    (['a', 'b'], 7, [[3, 0]])
    >>> KeptSums(["a"], 7, Sums({"plays": Table.of(sparse.csr_array([[3]]), 3, "plays")})).digests() == kept.digests()
    True
    """

    items: Sequence[str]
    cutoff: int
    sums: Sums

    @classmethod
    def read(cls, folder: Path) -> "KeptSums | None":
        """Reads the sums of a bundle; None if it keeps none."""
        path = folder / FILE
        return cls.from_bytes(path.read_bytes()) if path.is_file() else None

    def to_bytes(self) -> bytes:
        """Serializes the sums: of each table the cells, compressed; of a symmetric one, those on and above the
        diagonal."""
        arrays = {_ITEMS: np.array(self.items, np.str_), _CUTOFF: np.array(self.cutoff)}
        for name, table in self.sums.tables.items():
            is_symmetric = table.cells.shape[0] > 1 and (table.cells != table.cells.T).nnz == 0
            cells = sparse.csr_array(sparse.triu(table.cells)) if is_symmetric else table.cells
            cells.sort_indices()
            about = np.array([*cells.shape, is_symmetric, table.is_signed])
            arrays |= {f"{name}/about": about, f"{name}/bound": np.array(table.bound)}
            arrays |= {f"{name}/data": _narrow(cells.data), f"{name}/starts": _narrow(np.diff(cells.indptr))}
            steps = np.diff(cells.indices, prepend=0)
            arrays[f"{name}/steps"] = _narrow(steps)
        return npz.pack(arrays)

    @classmethod
    def from_bytes(cls, content: bytes) -> "KeptSums":
        """Deserializes the bytes of ``to_bytes``.

        Raises:
            ValueError, KeyError, EOFError, BadZipFile: the content is damaged.
        """
        arrays = npz.unpack(content)
        tables = {}
        for name in [part.removesuffix("/about") for part in arrays if part.endswith("/about")]:
            rows, columns, is_symmetric, is_signed = arrays[f"{name}/about"].tolist()
            starts = np.concatenate([[0], np.cumsum(arrays[f"{name}/starts"], dtype=np.int64)])
            places = np.cumsum(arrays[f"{name}/steps"], dtype=np.int64)
            data = arrays[f"{name}/data"].astype(np.int64)
            cells = sparse.csr_array((data, places, starts), (rows, columns))
            if is_symmetric:
                cells = cells + sparse.triu(cells, 1).T
            tables[name] = Table.of(cells, int(arrays[f"{name}/bound"]), name, is_signed=bool(is_signed))
        return cls(arrays[_ITEMS].tolist(), int(arrays[_CUTOFF]), Sums(tables))

    def digests(self) -> dict[str, str]:
        """Name → SHA-256 of the table; items that are in no cell of it do not count."""
        digests = {}
        for name, table in sorted(self.sums.tables.items()):
            is_square = table.cells.shape[0] == len(self.items)
            rows, columns = table.cells.nonzero()
            used = np.unique(np.concatenate([rows, columns])) if is_square else np.unique(columns)
            if len(used):
                cells = table.cells[used][:, used] if is_square else table.cells[:, used]
                digest = Table(cells, table.bound).digest("\0".join(self.items[place] for place in used.tolist()))
                digests[name] = digest
        return digests

    def without(self, people: Sums) -> "KeptSums":
        """The sums without those of some people.

        Raises:
            InputError: these people are not in them.
        """
        return KeptSums(self.items, self.cutoff, self.sums - people)


def _narrow(values: np.ndarray) -> np.ndarray:
    """The same integers in the smallest type that holds them."""
    low, high = int(values.min(initial=0)), int(values.max(initial=0))
    kinds = (np.int8, np.int16, np.int32, np.int64)
    kind = next(kind for kind in kinds if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max)
    return np.asarray(values, kind)
