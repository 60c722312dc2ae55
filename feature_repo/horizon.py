"""How far back the history of a data folder goes: the moments up to which rows were removed because of their age.

``refrain retention run`` records them. An event before the horizon of its table is not taken again, and a windowed
feature is whole only from the moment on at which its longest window lies behind the horizon.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from feature_repo.errors import StoreError
from feature_repo.home import Home
from feature_repo.whole_files import write_whole
from feature_repo.windows import WindowedTable
from feature_repo.windows.table import DAY

TOO_OLD = "older than what is kept"
"""Why an event is refused that is otherwise valid."""

_FILE = "horizons.json"
_DAY = timedelta(days=1)
_FIRST = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Horizons:
    """The horizon of each raw table that has one.

    Attributes:
        moments: name of the raw table → its oldest moment that is kept, UTC.

    >>> from feature_repo.windows import Count, EventSource, WindowedTable
    >>> plays = EventSource("plays", columns={"user_id": "String"}, key=("user_id",))
    >>> table = WindowedTable("example", "Plays of a listener", plays, ("user_id",), ("7d",), {"plays": Count()})
    >>> Horizons({"plays": datetime(2026, 3, 1, 12, tzinfo=UTC)}).whole_from(table)
    datetime.date(2026, 3, 10)
    """

    moments: Mapping[str, datetime] = field(default_factory=dict)

    @classmethod
    def of(cls, home: Home) -> "Horizons":
        """Reads the horizons of a tenant; none if nothing was ever removed.

        Raises:
            StoreError: the file is damaged.
        """
        path = cls.file(home)
        try:
            content = json.loads(path.read_bytes())
            return cls({str(name): datetime.fromisoformat(text).astimezone(UTC) for name, text in content.items()})
        except FileNotFoundError:
            return cls()
        except (ValueError, TypeError, AttributeError) as error:
            raise StoreError(
                expected=f"the horizons of raw tables in {path}",
                found=f"a damaged file: {error}",
                next_command=f"restore {path} from a backup, or: rm {path} && refrain retention run",
            ) from error

    @staticmethod
    def file(home: Home) -> Path:
        """The file that records the horizons of a tenant."""
        return home.retention / _FILE

    def later(self, others: Mapping[str, datetime]) -> "Horizons":
        """These and other horizons, of each table the later one: what was removed does not come back."""
        moments = {
            name: max(moment for moment in (self.moments.get(name), others.get(name)) if moment is not None)
            for name in sorted({*self.moments, *others})
        }
        return Horizons(moments)

    def save(self, home: Home) -> None:
        """Writes the file."""
        content = {name: moment.isoformat() for name, moment in self.moments.items()}
        write_whole(self.file(home), json.dumps(content, indent=1))

    def whole_from(self, table: WindowedTable) -> date | None:
        """The first day on which all windows of a table lie behind the horizon; None if its history has none.

        The longest window of any moment from the midnight of this day on begins at a midnight after the horizon. A
        lifetime begins at the horizon.
        """
        moments = [self.moments[source.name] for source in table.sources if source.name in self.moments]
        return first_whole_day(max(moments), table) if moments else None


def first_whole_day(horizon: datetime, table: WindowedTable) -> date:
    """The day from whose midnight on all windows of a table lie behind a moment; see ``Horizons.whole_from``."""
    reach = table.reach + (DAY if table.is_live else 0)  # a live table reads the day before its windows, too
    return midnight_after(horizon).date() + timedelta(days=-(-reach // DAY))


def midnight_after(moment: datetime) -> datetime:
    """The midnight at or after a moment, UTC."""
    return _FIRST + -((_FIRST - moment) // _DAY) * _DAY
