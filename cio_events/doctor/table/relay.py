"""The findings about a relay's Redis."""

from __future__ import annotations

from cio_events.doctor.finding import Row

ROWS: dict[str, Row] = {
    "I900": Row("relay", "{summary}"),
    "E901": Row(
        "relay",
        "Redis on {host} cannot be asked: {cause}",
        "Calls wait in this process or its spool, and go there once it answers. After max_age "
        "({max_age}) they expire.",
        "Look whether Redis runs, and whether {setting} leads there: host, port, database, user "
        "and password; rediss:// is TLS.",
    ),
    "E902": Row(
        "relay",
        "Redis is {version}, and a relay needs {oldest} or later",
        "No call goes there: they wait in this process or its spool, and after max_age "
        "({max_age}) they expire.",
        "Upgrade Redis, or use Valkey.",
    ),
    "E903": Row(
        "relay",
        "The maxmemory-policy of Redis is {policy}",
        "When memory is short, Redis throws away what waits for the relay, without an error.",
        "Set `maxmemory-policy noeviction` in redis.conf, or where Redis is hosted; `redis-cli "
        "CONFIG SET maxmemory-policy noeviction` does it until the next start.",
    ),
    "W904": Row(
        "relay",
        "Redis does not write to its disk what it is told (appendonly is off)",
        "What waits there for the relay is lost when Redis or its machine crashes, also with "
        'relay_ack="fsync".',
        "Set `appendonly yes` in redis.conf, or where Redis is hosted.",
    ),
    "W905": Row(
        "relay",
        "Nobody leads {which}: {waits}",
        "No relay runs that delivers from there, at least none with this relay_prefix.",
        "Start `cio-events relay` with the keys of the workspace, and have a supervisor keep it "
        "running.",
    ),
    "W906": Row(
        "relay",
        "The relay that leads {which} is behind: {waits}",
        "Customer.io is away or refuses the relay's settings, or calls come faster than it takes "
        "them.",
        "The relay's own log says which, and so does `cio-events doctor` with its environment.",
    ),
    "E907": Row(
        "relay",
        "A relay is set, and redis-py is missing",
        "No call leaves this process.",
        "Run `pip install 'cio-events[relay]'`.",
    ),
    "E908": Row(
        "relay",
        "{setting} cannot be used: it {problem}",
        "No call leaves this process.",
        "Give a URL such as redis://queue:6379/0; rediss:// is TLS, unix:// a socket.",
    ),
    "W909": Row(
        "relay",
        "Failed for good, in Redis as dead letters: {count}",
        "Customer.io refused them, or they were too old.",
        "`cio-events relay dead list` shows them, `show`, `resend` and `discard` do the rest.",
    ),
    "E913": Row(
        "relay",
        "The number of partitions in Redis is {there}, and relay_partitions is {here}",
        "No call goes there: they wait in this process or its spool.",
        "Give the same relay_partitions wherever calls are published; `cio-events relay "
        "partitions` changes what Redis has.",
    ),
    "S910": Row("relay", "No relay is set: this process sends its calls itself"),
    "S911": Row("relay", "Redis is not asked: the network is left out (offline)"),
    "S912": Row("relay", "Redis is not asked: this process may reach this machine alone"),
}
