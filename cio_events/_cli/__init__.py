"""The commands of `cio-events`."""
