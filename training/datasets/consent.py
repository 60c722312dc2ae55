"""Leaves out of training the rows of people who have not consented, and of those whose data may not be used.

A row of a person counts if they consented to each purpose as of the row's moment, and do so now: a withdrawal takes
effect for every set that is made after it, whatever moment its rows are of. Consent as of a moment is the newest event
before it; of equal times, the withdrawal. Consents are read from the raw table, so that no build has to come first.
Rows of restricted people (``feature_repo.restricted``) are always left out.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import polars as pl

from feature_repo import clock
from feature_repo.contract import contract_of
from feature_repo.errors import OnlineUnavailable
from feature_repo.home import Home
from feature_repo.purposes import CONSENTS, TRAINING, ConsentRule, consent_rule
from feature_repo.restricted import Restricted
from transforms.raw.read import scan
from transforms.stream.batch_boundary import archive_if_there

TIME = "event_timestamp"
KeptRows = Callable[[pl.DataFrame], pl.Series]
"""Rows of a table → (n,) booleans, true where the row may be used."""


@dataclass
class Permission:
    """What rows may be used for some purposes, at one moment.

    Attributes:
        restricted: the people whose data may not be used.
        purposes: the purposes that need consent.
        person: join key of the people who consent.
        grants: purpose → what holds of whom since when: ``person``, ``event_timestamp``, ``granted``, in order of time.
        rules: the rules of the purposes.
        now: the moment.
        left_out: reason → number of rows that were left out so far: a purpose, or ``restricted``.
    """

    restricted: Restricted
    person: str
    rules: Sequence[ConsentRule]
    grants: dict[str, pl.DataFrame]
    now: datetime
    left_out: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, home: Home, *purposes: str) -> "Permission":
        """Reads who may be trained on.

        Args:
            home: the data folder.
            purposes: what the rows are used for, beside training; empty ones are ignored.

        Raises:
            OnlineUnavailable: the online store, where events of consent may wait, does not answer.
            StoreError: the file of restricted people is damaged.

        >>> Permission.of(Home.from_env(), "personalisation").rows(spine)              # doctest: +SKIP
        """
        contract = contract_of(home)
        wanted = dict.fromkeys([*(purpose for purpose in purposes if purpose), TRAINING])
        rules = [rule for name in wanted if (rule := consent_rule(contract.project.purposes, name))]
        person, grants = "", dict[str, pl.DataFrame]()
        if rules:
            person = contract.events[CONSENTS].key[0]
            if archive_if_there(home) is None:
                raise OnlineUnavailable(
                    expected="the online store, in which events of consent may wait",
                    found="it does not answer",
                    next_command="refrain redis start, then the same command again",
                )
            grants = {rule.purpose: consents(home, person, rule.purpose) for rule in rules}
        return cls(Restricted.of(home), person, rules, grants, clock.now())

    @property
    def purposes(self) -> list[str]:
        """The purposes that need consent."""
        return [rule.purpose for rule in self.rules]

    def concerns(self, columns: Sequence[str]) -> bool:
        """Whether rows with these columns may be of people who are left out."""
        return bool(self.rules and self.person in columns) or any(key in columns for key in self.restricted.ids)

    def kept(self, rows: pl.DataFrame) -> pl.Series:
        """Says of each row whether it may be used, and counts those that may not; a row of nobody may.

        Args:
            rows: join keys and ``event_timestamp``.

        Returns:
            (n,) booleans.
        """
        kept = pl.repeat(True, rows.height, dtype=pl.Boolean(), eager=True)
        for key in sorted(self.restricted.ids.keys() & {*rows.columns}):
            is_free = ~rows[key].cast(pl.String).is_in(list(self.restricted.ids_of(key))).fill_null(False)
            kept = self._count("restricted", kept, is_free)
        for rule in self.rules if self.person in rows.columns else ():
            is_granted = self._is_granted(rows, rule) & self._is_granted(rows.with_columns(self._moment(rows)), rule)
            kept = self._count(rule.purpose, kept, is_granted | rows[self.person].is_null())
        return kept

    def rows(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Returns the rows that may be used."""
        return rows.filter(self.kept(rows)) if self.concerns(rows.columns) else rows

    def _moment(self, rows: pl.DataFrame) -> pl.Expr:
        return pl.lit(self.now, rows.schema[TIME]).alias(TIME)

    def _is_granted(self, rows: pl.DataFrame, rule: ConsentRule) -> pl.Series:
        """(n,) whether the person of each row consented to a purpose before the row's moment."""
        grants = self.grants[rule.purpose].with_columns(
            pl.col(self.person).cast(rows.schema[self.person]), pl.col(TIME).cast(rows.schema[TIME])
        )
        moments = rows.select(self.person, TIME).with_row_index("row").sort(TIME)
        joined = moments.join_asof(
            grants, on=TIME, by=self.person, strategy="backward", allow_exact_matches=False, check_sortedness=False
        )
        return joined.sort("row")["granted"].fill_null(rule.is_granted_without_event)

    def _count(self, reason: str, kept: pl.Series, allowed: pl.Series) -> pl.Series:
        refused = int((kept & ~allowed).sum())
        if refused:
            self.left_out[reason] = self.left_out.get(reason, 0) + refused
        return kept & allowed


def consents(home: Home, person: str, purpose: str) -> pl.DataFrame:
    """Returns when who granted or withdrew consent to a purpose, in order of time; of equal times, the withdrawal.

    Args:
        home: the data folder.
        person: join key of the people.
        purpose: the purpose.
    """
    rows = scan(home, CONSENTS).filter(pl.col("purpose") == purpose)
    return rows.group_by(person, TIME).agg(pl.col("granted").min()).sort(TIME).collect()
