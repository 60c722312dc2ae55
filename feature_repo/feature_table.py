"""Declaration of a feature table that one function computes from whole raw tables, mostly from one."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class FeatureTable:
    """A feature table that is computed from a whole raw table, or from several.

    Attributes:
        name: name of the view, and of the module that declares the table.
        source: name of the raw table.
        compute: pure function from rows of the raw table, and of those of ``also``, to rows of the view.
        also: names of further raw tables, in the order of the arguments of ``compute``.
        settings: what ``compute`` depends on beside its code and its tables, such as a digest of weights; rows are
            computed anew when it changes.

    >>> FeatureTable("user_profile", source="users", compute=lambda users: users.select("user_id", "plan")).source
    'users'
    """

    name: str
    source: str
    compute: "Callable[..., pl.DataFrame]"
    also: tuple[str, ...] = ()
    settings: str = ""

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of all raw tables, in the order of the arguments of ``compute``."""
        return (self.source, *self.also)
