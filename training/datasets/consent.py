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
from feature_repo.purpose_checks import check_purposes
from feature_repo.purposes import CONSENTS, TRAINING, ConsentRule, consent_rule
from feature_repo.restricted import Restricted
from transforms.raw.declared import raw_tables
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
            InputError: consent is needed, and the project has no events of it.
            OnlineUnavailable: the online store, where events of consent may wait, does not answer.
            StoreError: the file of restricted people is damaged.

        >>> Permission.of(Home.from_env(), "personalisation").rows(spine)              # doctest: +SKIP
        """
        contract = contract_of(home)
        wanted = dict.fromkeys([*(purpose for purpose in purposes if purpose), TRAINING])
        rules = [rule for name in wanted if (rule := consent_rule(contract.project.purposes, name))]
        person, grants = "", dict[str, pl.DataFrame]()
        if rules:
            if CONSENTS not in contract.events:
                check_purposes(contract.purpose_declarations)  # says what is missing
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


def raw_rows(home: Home, table: str, *purposes: str) -> pl.LazyFrame:
    """Returns the rows of a raw table that may be trained on; read only if people may have to be left out.

    A row counts if everyone whom it names consents as of its moment and now, and nobody is restricted.

    Args:
        home: the data folder.
        table: name of the raw table.
        purposes: what the rows are used for, beside training.

    Raises:
        OnlineUnavailable: see ``Permission.of``.
        StoreError: see ``Permission.of``.

    >>> raw_rows(Home.from_env(), "plays", "personalisation").collect()                 # doctest: +SKIP
    """
    rows, declared = scan(home, table), raw_tables(home)[table]
    columns = list(declared.columns)
    permission = Permission.of(home, *purposes)
    for key, ids in permission.restricted.ids.items():
        names_them = declared.names(key, sorted(ids), columns)
        rows = rows if names_them is None else rows.filter(~names_them)
    people = declared.columns_of(permission.person) if permission.rules else []
    if not people:
        return rows
    frame = rows.collect()
    for column in people:
        frame = frame.filter(permission.kept(frame.select(pl.col(column).alias(permission.person), TIME)))
    return frame.lazy()


def people_left_out(home: Home, consents_digest: Callable[[], str]) -> dict[str, object]:
    """Returns what decides who is left out of training, for the key of a run; nothing where nobody may be.

    Args:
        home: the data folder.
        consents_digest: makes the digest of the raw table of consents.
    """
    rules = contract_of(home).project.purposes
    asks = any(consent_rule(rules, purpose) for purpose in rules)
    restricted = {key: sorted(ids) for key, ids in sorted(Restricted.of(home).ids.items())}
    return ({"restricted": restricted} if restricted else {}) | ({"consents": consents_digest()} if asks else {})


def consents(home: Home, person: str, purpose: str) -> pl.DataFrame:
    """Returns when who granted or withdrew consent to a purpose, in order of time; of equal times, the withdrawal.

    Args:
        home: the data folder.
        person: join key of the people.
        purpose: the purpose.
    """
    rows = scan(home, CONSENTS).filter(pl.col("purpose") == purpose)
    return rows.group_by(person, TIME).agg(pl.col("granted").min()).sort(TIME).collect()
