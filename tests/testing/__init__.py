"""What users' tests get: the recorder, fixtures and guard, seen by suites that pytest runs."""
