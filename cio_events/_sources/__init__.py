"""Capture log records: each file is a source, or a step from a record to a call."""
