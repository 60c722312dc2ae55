"""Lines of logs to events: ``formats`` takes a line apart, ``templates`` finds what varies in it."""
