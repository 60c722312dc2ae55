"""What rules are judged by: definitions, marks, lineage, and what a data folder holds; each is read on first use."""

from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from feature_repo.contract import Contract, contract_of
from feature_repo.home import Home
from feature_repo.service import ServiceDeclaration
from refrain.compliance.marks import Marks
from refrain.retention.periods import Period, periods
from transforms.raw.declared import raw_tables
from transforms.raw.table import RawTable

if TYPE_CHECKING:
    from refrain.lineage.graph import Lineage


class Facts:
    """The facts of one data folder and its project.

    Args:
        home: the data folder.
        now: the moment as of which ages and dates count.

    >>> facts = Facts(Home.from_env(), clock.now())                                     # doctest: +SKIP
    >>> facts.marks.tables("sensitive")                                                 # doctest: +SKIP
    ['log_lines', 'texts', 'users']
    """

    def __init__(self, home: Home, now: datetime) -> None:
        self.home, self.now = home, now

    @property
    def contract(self) -> Contract:
        """All definitions."""
        return contract_of(self.home)

    @property
    def tables(self) -> Mapping[str, RawTable]:
        """Raw tables by name."""
        return raw_tables(self.home)

    @cached_property
    def marks(self) -> Marks:
        """What is personal and what is sensitive among raw columns."""
        return Marks.of(self.tables)

    @cached_property
    def periods(self) -> Mapping[str, Period]:
        """How long raw tables and records are kept, by name."""
        return periods(self.home)

    @cached_property
    def services(self) -> Mapping[str, ServiceDeclaration]:
        """Declared services by name; without those that are Feast's own objects."""
        return self.contract.find(ServiceDeclaration, "services")

    @cached_property
    def lineage(self) -> "Lineage":
        """Lineage of the definitions. Imports Feast, which takes seconds."""
        from refrain.lineage.declared import declared_lineage

        return declared_lineage(self.contract)
