"""
Small applications: such as lose events, each with its mend, and such as lose none.

A line with ``# mend: …`` becomes what follows, or goes where nothing does. ``# finds:`` says which
findings there have to be, ``# env:`` and ``# mended env:`` what the environment has.
"""
