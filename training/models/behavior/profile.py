"""What anybody knows of a listener's profile without seeing one: for private versions."""

PROFILE: dict[str, tuple[float, float] | tuple[str, ...]] = {
    "user_profile__birth_year": (1930.0, 2020.0),
    "user_profile__plan": ("family", "free", "premium"),
}
"""Feature → its bounds, or its values. A plan of another name counts as none of them."""
