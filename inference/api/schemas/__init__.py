"""Schemas of requests and responses with examples, one file for each kind of request."""
