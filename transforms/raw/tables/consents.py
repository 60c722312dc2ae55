"""Consent that listeners grant and withdraw."""

import dataframely as dy

from transforms.raw.table import RawTable, Timed, key_column


class Consents(Timed):
    """One row per grant or withdrawal of consent to a purpose; ``source`` says where it was given."""

    user_id = key_column()
    purpose = key_column()
    granted = dy.Bool(nullable=False)
    source = dy.String(nullable=True)


CONSENTS = RawTable("consents", Consents, key=("user_id", "purpose", "granted", "event_timestamp"))
