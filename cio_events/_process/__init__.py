"""The state of the process, and what this package says of itself in it. Knows no calls."""
