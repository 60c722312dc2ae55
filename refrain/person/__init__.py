"""A person's data: where it is (``scan``), and what it says (``export``)."""
