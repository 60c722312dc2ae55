"""Declaration of a feature table that one function computes from one raw table."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class FeatureTable:
    """A feature table that is computed from a whole raw table.

    Attributes:
        name: name of the view, and of the module that declares the table.
        source: name of the raw table.
        compute: pure function from rows of the raw table to rows of the view.

    >>> FeatureTable("user_profile", source="users", compute=lambda users: users.select("user_id", "plan")).source
    'users'
    """

    name: str
    source: str
    compute: "Callable[[pl.DataFrame], pl.DataFrame]"
