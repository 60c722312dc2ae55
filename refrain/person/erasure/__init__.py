"""Erases one person: rows, what was derived from them, what is online, and says what was done in a certificate."""
