"""Whether a listener has consented to a purpose, up to the last event."""

from feature_repo.definitions.events.consents import consents
from feature_repo.windows import Last, WindowedTable

user_consent = WindowedTable(
    name="user_consent",
    about="Whether one listener consents to one purpose: the newest event; of equal times, the withdrawal",
    source=consents,
    keys=("user_id", "purpose"),
    windows=("lifetime",),
    features={"granted": Last("granted")},
    every="event",
)
