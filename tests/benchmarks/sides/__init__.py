"""
What is compared: this library, its peers, and the limit of the machine.

A side sends the benchmark event in its own way and knows nothing of what is measured.
"""

from __future__ import annotations

from tests.benchmarks.sides import limits, ours, peers, relay

SIDES = {side.name: side for side in (*ours.SIDES, *peers.SIDES, *limits.SIDES, *relay.SIDES)}
"""Every side by its name."""
