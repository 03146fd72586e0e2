"""Capture log records: each file is a source, a step to a call, or says why none was made."""
