"""
What the library costs, measured beside its peers and beside what the machine can do at most.

It is no test: nothing here asserts a time. ``python -m tests.benchmarks`` runs it, with the extra
``bench`` installed; peers that are not installed are left out.

Every side has a process of its own in every round, and the sides take turns (A B A B …), so that
a machine that is busy or hot for a while is so for all of them. What counts are the ratios of one
round, of which the median and the spread are shown. All send the same event to the same sink,
which counts what arrives; a side of which an event is missing has no figure. Every side has its
own defaults, but that its queue takes whatever a row makes pending.
"""
