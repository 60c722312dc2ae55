"""Consent that listeners grant and withdraw, by purpose."""

from feature_repo.windows import EventSource

consents = EventSource(
    "consents",
    columns={"user_id": "String", "purpose": "String", "granted": "Bool", "source": "String"},
    key=("user_id", "purpose", "granted"),
)
"""A listener grants or withdraws consent to a purpose (``feature_repo.purposes``); ``source`` says where, such as on a
page.

``granted`` belongs to the key: a grant and a withdrawal of one moment are two events, of which the withdrawal counts.
"""
