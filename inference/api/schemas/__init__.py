"""What comes in and what goes out, with examples: a file for each kind of request."""
