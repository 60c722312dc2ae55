"""Join keys that are of people wherever they stand."""

PEOPLE = frozenset(
    {"user_id", "customer_id", "person_id", "member_id", "listener_id", "subscriber_id", "patient_id", "employee_id"}
)
"""Their names. A raw table that marks another one of its keys as personal makes it one, too."""
