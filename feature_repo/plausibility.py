"""What one account can plausibly do within an hour: the sections ``[plausibility.KIND]`` of ``refrain.toml``.

::

    [plausibility.plays]      # an empty section has these values
    at_once = 4               # listening of one account, in hours per hour: a family on one account
    devices = 10              # devices of one account within an hour
    events = 600              # events of one account within an hour
    duration = "ms_played"    # column with the milliseconds of an event; "" for none
    device = "device"         # column with the device; "" for none
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from feature_repo.errors import InputError


@dataclass(frozen=True)
class AccountLimits:
    """The limits of one kind of events.

    Attributes:
        at_once: most hours of one account that begin within an hour; an event counts for an hour at most.
        devices: most devices of one account within an hour.
        events: most events of one account within an hour.
        duration: column with the milliseconds of an event; empty for none.
        device: column with the device; empty for none.
    """

    at_once: float = 4.0
    devices: int = 10
    events: int = 600
    duration: str = "ms_played"
    device: str = "device"

    @classmethod
    def read(cls, kind: str, section: Any) -> "AccountLimits":
        """Reads and checks a section.

        Raises:
            InputError: an option is unknown or has another form.

        >>> AccountLimits.read("plays", {"devices": 5}).devices
        5
        """
        options = {field.name: type(field.default) for field in fields(cls)}
        place = f"[plausibility.{kind}]"
        for name, value in section.items() if isinstance(section, Mapping) else [("", section)]:
            is_number = isinstance(value, int | float) and not isinstance(value, bool) and value > 0
            is_valid = isinstance(value, str) if options.get(name) is str else is_number
            if name not in options or not is_valid or (options[name] is int and not isinstance(value, int)):
                raise InputError(
                    expected=f"{', '.join(options)} in {place}: numbers above zero, and names of columns",
                    found=f"{name} = {value!r}",
                    next_command=f"correct {place} in refrain.toml",
                )
        return cls(**section)
