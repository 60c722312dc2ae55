"""The sums of a version, kept beside its bundle: of items, by their ids, and of no person."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import sparse

from feature_repo.encryption.bundle_files import read_file
from training.exact.sums import Sums, Table
from transforms.pure import npz

FILE = "sums.npz"
"""File of a bundle: the sums that parts of it were solved from."""


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
    >>> KeptSums(["a"], 7, Sums({"plays": Table.of(sparse.csr_array([[3]]), 3, "plays")})).digest() == kept.digest()
    True
    """

    items: Sequence[str]
    cutoff: int
    sums: Sums

    @classmethod
    def read(cls, folder: Path) -> "KeptSums | None":
        """Reads the sums of a bundle; None if it keeps none."""
        return cls.from_bytes(read_file(folder, FILE)) if (folder / FILE).is_file() else None

    def to_bytes(self) -> bytes:
        """Serializes the sums, compressed; of a symmetric table the cells on and above the diagonal."""
        abouts, counts, steps, data = [], [], [], []
        for table in self.sums.tables.values():
            is_symmetric = table.cells.shape[0] > 1 and (table.cells != table.cells.T).nnz == 0
            cells = sparse.csr_array(sparse.triu(table.cells)) if is_symmetric else table.cells
            cells.sort_indices()
            abouts.append([*cells.shape, cells.nnz, is_symmetric, table.is_signed, table.bound])
            counts.append(np.diff(cells.indptr))
            steps.append(np.diff(cells.indices, prepend=0))
            data.append(cells.data)
        arrays = {
            "items": np.array(self.items, np.str_),
            "cutoff": np.array(self.cutoff),
            "names": np.array(list(self.sums.tables), np.str_),
            "about": np.array(abouts, np.int64).reshape(-1, 6),
        }
        for name, parts in (("counts", counts), ("steps", steps), ("data", data)):
            arrays[name] = _narrow(np.concatenate([np.empty(0, np.int64), *parts]))
        return npz.pack(arrays)

    @classmethod
    def from_bytes(cls, content: bytes) -> "KeptSums":
        """Deserializes the bytes of ``to_bytes``.

        Raises:
            ValueError, KeyError, EOFError, BadZipFile: the content is damaged.
        """
        arrays = npz.unpack(content)
        counts, steps, data = (arrays[name].astype(np.int64) for name in ("counts", "steps", "data"))
        tables, row, cell = {}, 0, 0
        for name, about in zip(arrays["names"].tolist(), arrays["about"].tolist(), strict=True):
            rows, columns, size, is_symmetric, is_signed, bound = about
            part, starts = slice(cell, cell + size), np.concatenate([[0], np.cumsum(counts[row : row + rows])])
            cells = sparse.csr_array((data[part], np.cumsum(steps[part]), starts), (rows, columns))
            if is_symmetric:
                cells = cells + sparse.triu(cells, 1).T
            tables[name] = Table.of(cells, bound, name, is_signed=bool(is_signed))
            row, cell = row + rows, cell + size
        return cls(arrays["items"].tolist(), int(arrays["cutoff"]), Sums(tables))

    def digest(self) -> str:
        """SHA-256 of all tables; items that are in no cell of a table, and tables without cells, do not count."""
        total = hashlib.sha256()
        for name, table in sorted(self.sums.tables.items()):
            is_square = table.cells.shape[0] == len(self.items)
            rows, columns = table.cells.nonzero()
            used = np.unique(np.concatenate([rows, columns])) if is_square else np.unique(columns)
            if len(used):
                cells = table.cells[used][:, used] if is_square else table.cells[:, used]
                items = "\0".join([name, *(self.items[place] for place in used.tolist())])
                total.update(Table(cells, table.bound).digest(items).encode())
        return total.hexdigest()

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
