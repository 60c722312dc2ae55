"""Attacks on sounds: what codecs, rooms, players and people do to them. An input is (n,) mono samples at 22,050 Hz."""
