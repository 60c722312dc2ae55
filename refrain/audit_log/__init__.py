"""Reads the audit log: what happened, who read a person's data, what one caller did."""
