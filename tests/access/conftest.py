"""What tests of access share."""

from tests.inference.conftest import changes_seen_at_once, own_world

__all__ = ["changes_seen_at_once", "own_world"]
