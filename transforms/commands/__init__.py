"""Commands of data, a file each for what belongs together."""
