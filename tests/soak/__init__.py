"""
The soak: minutes of logging while something goes wrong each second.

``python -m tests.soak --minutes 10``. One process logs from eight threads and is killed with
SIGKILL each thirty seconds, another does the same and lasts; they share a spool directory and a
Customer.io on loopback, with which something is wrong each second. Each minute one of them logs a
culprit, a call with which every request fails until the next; each second each forks a child that
logs and ends by the next row of the table of endings. In the end nothing that was accepted
may be missing, and the process that lasted may not have grown.
"""
