"""Capture log records: each file is one way in, or a step on the way from a record to a call."""
