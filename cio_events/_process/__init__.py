"""The state of the process: forks, exits, the clock, our own diagnostics. Knows no calls."""
