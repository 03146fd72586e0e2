"""The doctor's checks, each against what it is to find."""
