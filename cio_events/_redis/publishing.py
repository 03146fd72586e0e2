"""
The Lua scripts by which calls are published.

None names keys of two partitions: each has a slot of its own in a cluster.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import redis

REMEMBERED_SECONDS = 3_600
"""
How long Redis remembers the last number of a publisher, so that nothing is stored twice whose
answer was lost. After a longer outage the relay, which remembers too, skips what is double.
"""

FULL = -1
"""What a script returns where the partition has as many bytes as it may."""

OTHER_NUMBER = -2
"""What a script returns where there is another number of partitions, or it is being changed."""

# Without ``allow-oom``, so that a full Redis refuses them before they have written anything.
_HEAD = "#!lua\n"

_CHECKED = f"""
local partitions = redis.call('GET', KEYS[5])
if not partitions then
  redis.call('SET', KEYS[5], ARGV[3])
elseif partitions ~= ARGV[3] then
  return {OTHER_NUMBER}
end
local had = tonumber(redis.call('GET', KEYS[4]) or '0')
"""

PUBLISH = f"""{_HEAD}
-- KEYS: the stream, its bytes, its counts, the publisher, the number of partitions.
-- ARGV: the bound in bytes, seconds to remember the publisher, how many partitions there are, how
-- many arguments an entry has, and the entries: each a name and a value in turn, the fourth the
-- number, the sixth the count.
{_CHECKED}
local width = tonumber(ARGV[4])
local last = tonumber(ARGV[#ARGV - width + 8])
if last <= had then
  -- Written, so that WAITAOF waits for this and what was stored before it.
  redis.call('EXPIRE', KEYS[4], ARGV[2])
  return 0
end
if tonumber(redis.call('GET', KEYS[2]) or '0') >= tonumber(ARGV[1]) then
  return {FULL}
end
local stored, calls, bytes = 0, 0, 0
for at = 5, #ARGV, width do
  if tonumber(ARGV[at + 7]) > had then
    redis.call('XADD', KEYS[1], '*', unpack(ARGV, at, at + width - 1))
    stored, calls = stored + 1, calls + tonumber(ARGV[at + 11])
    for place = at, at + width - 1 do
      bytes = bytes + #ARGV[place]
    end
  end
end
redis.call('INCRBY', KEYS[2], bytes)
redis.call('HINCRBY', KEYS[3], 'entries', stored)
redis.call('HINCRBY', KEYS[3], 'calls', calls)
redis.call('SET', KEYS[4], last, 'EX', ARGV[2])
return stored
"""
"""Stores entries, all or none; what a lost answer has stored before is not stored again."""

BAR = f"""{_HEAD}
-- KEYS: the stream, its bytes, its counts, the publisher, the number of partitions, the id of the
-- publisher's last barrier. ARGV: the bound in bytes, seconds to remember the publisher, how many
-- partitions there are, the number, and the one entry.
{_CHECKED}
if tonumber(ARGV[4]) <= had then
  redis.call('EXPIRE', KEYS[4], ARGV[2])
  redis.call('EXPIRE', KEYS[6], ARGV[2])
  -- That of a later barrier stands for this one too.
  return redis.call('GET', KEYS[6]) or '0-0'
end
if tonumber(redis.call('GET', KEYS[2]) or '0') >= tonumber(ARGV[1]) then
  return {FULL}
end
local bytes = 0
for place = 5, #ARGV do
  bytes = bytes + #ARGV[place]
end
local id = redis.call('XADD', KEYS[1], '*', unpack(ARGV, 5))
redis.call('INCRBY', KEYS[2], bytes)
redis.call('HINCRBY', KEYS[3], 'entries', 1)
redis.call('HINCRBY', KEYS[3], 'calls', 1)
redis.call('SET', KEYS[4], ARGV[4], 'EX', ARGV[2])
redis.call('SET', KEYS[6], id, 'EX', ARGV[2])
return id
"""
"""Stores a barrier in partition 0, once; returns its id there, which says which comes first."""

LATER = """
local function later(one, other)
  local a, b = string.match(one, '(%d+)-(%d+)')
  local c, d = string.match(other or '0-0', '(%d+)-(%d+)')
  a, b, c, d = tonumber(a), tonumber(b), tonumber(c), tonumber(d)
  return a > c or (a == c and b > d)
end
"""
"""The function of a script that says whether an id is later than another, which may be none."""

_PLACE = f"""
-- KEYS stream bytes counts barriers; ARGV: the barrier's id, and the mark
{LATER}
if not later(ARGV[1], redis.call('HGET', KEYS[4], 'marked')) then
  return 0
end
local bytes = 0
for place = 2, #ARGV do
  bytes = bytes + #ARGV[place]
end
redis.call('XADD', KEYS[1], '*', unpack(ARGV, 2))
redis.call('HSET', KEYS[4], 'marked', ARGV[1])
redis.call('INCRBY', KEYS[2], bytes)
redis.call('HINCRBY', KEYS[3], 'marks', 1)
return 1
"""

PLACE = _HEAD + _PLACE
"""
Put a barrier's mark into another partition, unless it has that of a later one.

The mark of a later one stands for it: whoever published that one had all stored by then that has
to come before this one, and whoever publishes behind this one comes behind that mark too.
"""

PLACE_ANYWAY = "#!lua flags=allow-oom\n" + _PLACE
"""The same, for a relay, also where Redis is full."""


def run(client: redis.Redis, script: str, keys: Sequence[str], arguments: Sequence[Any]) -> Any:
    """
    Run a script.

    Raises:
        redis.RedisError, OSError: Redis cannot be asked, or refuses.
    """
    from redis.exceptions import NoScriptError  # it is there, as there is a connection

    rest = (len(keys), *keys, *arguments)
    try:
        return client.execute_command("EVALSHA", _sha(script), *rest)
    except NoScriptError:
        return client.execute_command("EVAL", script, *rest)


@cache
def _sha(script: str) -> str:
    return hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()
