"""
What the library costs, measured beside its peers and beside what the machine can do at most.

It is no test: nothing here asserts a time. ``python -m tests.benchmarks`` runs it.
"""
