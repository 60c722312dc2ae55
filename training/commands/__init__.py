"""Commands of ``python -m training``, one file per group."""
