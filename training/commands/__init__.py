"""Commands of ``python -m training``, a file each for what belongs together."""
