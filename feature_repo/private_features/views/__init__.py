"""Private counts, one view a file."""
