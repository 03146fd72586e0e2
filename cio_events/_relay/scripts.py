"""
The Lua scripts by which a relay leads, claims entries, acknowledges and trims.

All but the first check that whoever calls still leads, so that one that was frozen can do nothing
any more. ``allow-oom`` lets them run in a Redis that is full, which only they can empty.
"""

from __future__ import annotations

_HEAD = "#!lua flags=allow-oom\n"

# How many values a script hands to a command at once; Lua's stack has 8 000.
_STACK = 1_000

FENCED = "FENCED"
"""How the error begins that whoever leads no longer gets."""

FENCE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return redis.error_reply('FENCED another relay leads')
end
"""
"""The part of a script that does nothing for whoever does not lead."""

_ABOUT = """
local function about(stream, group)
  local groups = redis.call('EXISTS', stream) == 1 and redis.call('XINFO', 'GROUPS', stream) or {}
  for _, info in ipairs(groups) do
    local known = {}
    for number = 1, #info, 2 do
      known[info[number]] = info[number + 1]
    end
    if known.name == group then
      return known
    end
  end
end
"""

LEAD = f"""{_HEAD}
-- KEYS lease leader; ARGV owner milliseconds
local held = redis.call('GET', KEYS[1])
if held then
  -- Ours, if an answer was lost.
  local ours = held:sub(-#ARGV[1] - 1) == ':' .. ARGV[1]
  return ours and redis.call('PEXPIRE', KEYS[1], ARGV[2]) == 1 and held
end
local generation = redis.call('HINCRBY', KEYS[2], 'generation', 1)
local token = generation .. ':' .. ARGV[1]
redis.call('SET', KEYS[1], token, 'PX', ARGV[2])
redis.call('HSET', KEYS[2], 'token', token, 'since', redis.call('TIME')[1])
return token
"""
"""Begin to lead, if nobody does; returns the token, generation first."""

RENEW = f"""{_HEAD}
-- KEYS lease leader; ARGV token milliseconds generation
local held = redis.call('GET', KEYS[1])
if held == ARGV[1] then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  return 1
end
if held then
  return 0
end
-- It is over, or Redis has come back from before it began: nobody else has led since.
local leader = redis.call('HMGET', KEYS[2], 'token', 'generation')
if leader[1] ~= ARGV[1] and tonumber(leader[2] or '0') >= tonumber(ARGV[3]) then
  return 0
end
redis.call('HSET', KEYS[2], 'token', ARGV[1], 'generation', ARGV[3])
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""
"""Go on leading; returns 0 to whoever does not lead any more."""

GROUP = f"""{_HEAD}
-- KEYS lease stream; ARGV token group
{FENCE}
return redis.call('XGROUP', 'CREATE', KEYS[2], ARGV[2], '0', 'MKSTREAM')
"""
"""Make the group of a stream that has none yet."""

RELEASE = f"""{_HEAD}
-- KEYS lease; ARGV token
if redis.call('GET', KEYS[1]) == ARGV[1] then
  return redis.call('DEL', KEYS[1])
end
return 0
"""
"""End leading, so that another may begin at once."""

CLAIM = f"""{_HEAD}
-- KEYS lease stream counts marks bytes; ARGV token group after seen window seconds, and for each
-- entry: its id, its size, whether it may not be left out, and what it says of itself: publisher,
-- sequence, count
{FENCE}
{_ABOUT}
local stream, group, after = KEYS[2], ARGV[2], ARGV[3]
local known, verdicts = about(stream, group), {{}}
if not known then
  return redis.error_reply('NOGROUP there is no group')
end
local last, new = known['last-delivered-id'], after ~= ''
if new and after ~= last then
  return {{last, verdicts}}
end
-- What an entry says may be anybody's.
local function whole(text)
  return #text < 16 and string.match(text, '^%d+$') and tonumber(text)
end
local function waits(id)
  return #redis.call('XPENDING', stream, group, id, id, 1) > 0
end
for place = 7, #ARGV, 6 do
  local id, size, needed = ARGV[place], ARGV[place + 1], ARGV[place + 2] == '1'
  local publisher, text, count = ARGV[place + 3], ARGV[place + 4], whole(ARGV[place + 5]) or 0
  local sequence = publisher ~= '' and whole(text)
  local seen = sequence and ARGV[4] .. publisher
  local first = seen and redis.call('HGET', seen, text)
  local repeats = first and first ~= id
  if not (new or waits(id)) then
    break
  elseif repeats and not (needed or waits(first)) then
    -- The one that it repeats has ended.
    redis.call('XACK', stream, group, id)
    if redis.call('XDEL', stream, id) == 1 then
      redis.call('DECRBY', KEYS[5], size)
    elseif new then
      break
    end
    verdicts[#verdicts + 1] = {{}}
  elseif new and #redis.call('XCLAIM', stream, group, group, 0, id, 'FORCE', 'JUSTID') == 0 then
    break
  else
    if seen and not first then
      -- First, so that there are never more than Redis keeps in its compact form.
      redis.call('HDEL', seen, sequence - tonumber(ARGV[5]))
      redis.call('HSET', seen, text, id)
      redis.call('EXPIRE', seen, ARGV[6])
    end
    local name = seen and string.format('%s.%.0f', publisher, sequence) or id
    verdicts[#verdicts + 1] = {{repeats and 0 or 1, redis.call('HGET', KEYS[4], name) or ''}}
  end
  last = id
  if new then
    redis.call('HINCRBY', KEYS[3], repeats and 'relay_repeated' or 'relay_read', count)
  end
end
if new and #verdicts > 0 then
  redis.call('XGROUP', 'SETID', stream, group, last)
end
return {{last, verdicts}}
"""
"""
Claim entries that were looked at: new ones behind the id *after*, or with "" those claimed before.

They are ours only as far as there is a verdict: whether it was counted as read, or repeats one
that has not ended, and the generation that has marked it; nothing of one that repeats what has
ended, which is deleted. There are fewer verdicts where Redis has come back from before an entry
or before *after*. Returns the last id claimed and the verdicts.

Entries themselves are not looked at here, as a script gets them at several times the cost at
which a client does.
"""

END = f"""{_HEAD}
-- KEYS lease stream counts marks dead bytes; ARGV token group, and for each entry: how
-- many parts follow, its name, and of each id the size and whether it was counted as read; how
-- many its counts are, names and counts; how many letters it has, and of each how many parts it
-- is, and those
{FENCE}
{_ABOUT}
local stream, group, place = KEYS[2], ARGV[2], 3
local function parts()
  local taken, count = {{}}, tonumber(ARGV[place])
  for number = 1, count do
    taken[number] = ARGV[place + number]
  end
  place = place + count + 1
  return taken
end
local ended = {{}}
while place <= #ARGV do
  local ids, counts = parts(), parts()
  local letters = tonumber(ARGV[place])
  place = place + 1
  -- What was counted as read is counted as ended, each once. A Redis that has come back from
  -- before it was read will give it once more, and with its mark.
  local times, known = 0, false
  for number = 2, #ids, 3 do
    if redis.call('XACK', stream, group, ids[number]) == 1 then
      redis.call('DECRBY', KEYS[6], ids[number + 1])
      times, known = times + tonumber(ids[number + 2]), true
      ended[#ended + 1] = ids[number]
    end
  end
  if known then
    redis.call('HDEL', KEYS[4], ids[1])
  end
  for number = 1, letters do
    local letter = parts()
    if times > 0 then
      redis.call('XADD', KEYS[5], '*', unpack(letter))
    end
  end
  if times > 0 then
    for number = 1, #counts, 2 do
      redis.call('HINCRBY', KEYS[3], counts[number], times * tonumber(counts[number + 1]))
    end
  end
end
local oldest = redis.call('XPENDING', stream, group, '-', '+', 1)[1]
if oldest then
  redis.call('XTRIM', stream, 'MINID', oldest[1])
  -- What lies behind one that waits.
  for from = 1, #ended, {_STACK} do
    redis.call('XDEL', stream, unpack(ended, from, math.min(from + {_STACK} - 1, #ended)))
  end
else
  local last = about(stream, group)['last-delivered-id']
  redis.call('XTRIM', stream, 'MINID', last)
  redis.call('XDEL', stream, last)
end
if redis.call('XLEN', stream) == 0 then
  redis.call('DEL', KEYS[6])
end
return #ended
"""
"""Count what became of entries, keep the letters of calls that have failed, acknowledge, trim."""

MARK = f"""{_HEAD}
-- KEYS lease marks; ARGV token name generation
{FENCE}
return redis.call('HSET', KEYS[2], ARGV[2], ARGV[3])
"""
"""Note that an entry, which must not be sent twice, is about to be sent."""

UNMARK = f"""{_HEAD}
-- KEYS lease marks; ARGV token name
{FENCE}
return redis.call('HDEL', KEYS[2], ARGV[2])
"""
"""Note that it has certainly not arrived."""

RESEND = """#!lua
-- KEYS stream bytes counts dead partitions; ARGV letter size number parts
local number = redis.call('GET', KEYS[5])
if number and number ~= ARGV[3] then
  return -1
end
if redis.call('XDEL', KEYS[4], ARGV[1]) == 0 then
  return 0
end
local id = redis.call('XADD', KEYS[1], '*', unpack(ARGV, 4))
redis.call('INCRBY', KEYS[2], ARGV[2])
redis.call('HINCRBY', KEYS[3], 'entries', 1)
redis.call('HINCRBY', KEYS[3], 'calls', 1)
return id
"""
"""
Publish the one call of a dead letter again; returns its id, 0 where the letter has gone, and -1
where there is another number of partitions by now, or it is being changed.
"""

STATUS = """#!lua flags=no-writes
-- KEYS lease leader counts stream bytes dead
local function length(key)
  return redis.call('EXISTS', key) == 1 and redis.call('XLEN', key) or 0
end
local oldest = length(KEYS[4]) > 0 and redis.call('XRANGE', KEYS[4], '-', '+', 'COUNT', 1)[1][1]
return {
  redis.call('GET', KEYS[1]), redis.call('PTTL', KEYS[1]), redis.call('HGET', KEYS[2], 'since'),
  redis.call('HGETALL', KEYS[3]), length(KEYS[4]), oldest, redis.call('GET', KEYS[5]),
  length(KEYS[6]), redis.call('TIME')[1], redis.call('TIME')[2]
}
"""
"""All that tells how a partition is, at one moment."""
