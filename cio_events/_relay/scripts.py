"""
The Lua scripts by which a relay leads, reads, acknowledges and trims.

All but the first check that whoever calls still leads, so that one that was frozen can do nothing
any more. ``allow-oom`` lets them run in a Redis that is full, which only they can empty.
"""

from __future__ import annotations

_HEAD = "#!lua flags=allow-oom\n"

FENCED = "FENCED"
"""How the error begins that whoever leads no longer gets."""

FENCE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return redis.error_reply('FENCED another relay leads')
end
"""
"""The part of a script that does nothing for whoever does not lead."""

_LAST_DELIVERED = """
local function last_delivered(stream, group)
  for _, info in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
    local about = {}
    for number = 1, #info, 2 do
      about[info[number]] = info[number + 1]
    end
    if about.name == group then
      return about['last-delivered-id']
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

READ = f"""{_HEAD}
-- KEYS lease stream counts marks bytes; ARGV token group from entries bytes seen window seconds
{FENCE}
{_LAST_DELIVERED}
local stream, group, from = KEYS[2], ARGV[2], ARGV[3]
local found, size, all = {{}}, 0, false
-- What an entry says may be anybody's.
local function whole(text)
  return text and #text < 16 and string.match(text, '^%d+$') and tonumber(text)
end
while #found < tonumber(ARGV[4]) and size < tonumber(ARGV[5]) do
  local got = redis.call('XREADGROUP', 'GROUP', group, group, 'COUNT', 1, 'STREAMS', stream, from)
  local entry = got and got[1][2][1]
  if not entry then
    all = true
    break
  end
  local id, fields = entry[1], entry[2] or {{}}
  local known, bytes = {{}}, 0
  for place = 1, #fields, 2 do
    known[fields[place]] = fields[place + 1]
    bytes = bytes + #fields[place] + #fields[place + 1]
  end
  size = size + bytes
  local first, name = id, id
  local sequence = whole(known.sequence)
  if known.publisher and sequence then
    name = string.format('%s.%.0f', known.publisher, sequence)
    local seen = ARGV[6] .. known.publisher
    first = redis.call('HGET', seen, known.sequence)
    if not first then
      first = id
      -- First, so that there are never more than Redis keeps in its compact form.
      redis.call('HDEL', seen, sequence - tonumber(ARGV[7]))
      redis.call('HSET', seen, known.sequence, id)
      redis.call('EXPIRE', seen, ARGV[8])
    end
  end
  if from == '>' then
    local column = first == id and 'relay_read' or 'relay_repeated'
    redis.call('HINCRBY', KEYS[3], column, whole(known.count) or 0)
  else
    from = id
  end
  if first ~= id and not known.barrier
    and #redis.call('XPENDING', stream, group, first, first, 1) == 0 then
    -- The one that it repeats has ended; of a barrier, others may wait for this one.
    redis.call('XACK', stream, group, id)
    redis.call('XDEL', stream, id)
    redis.call('DECRBY', KEYS[5], bytes)
  else
    local mark = redis.call('HGET', KEYS[4], name) or ''
    found[#found + 1] = {{id, fields, mark, first == id and 1 or 0}}
  end
end
return {{from, found, all and last_delivered(stream, group) or ''}}
"""
"""
Read entries, up to so many and so many bytes: new ones from ``>``, those read before from an id.

Returns where to go on; of each entry its id, its fields, the generation that has marked it, and
whether it was counted as read, or repeats one that has not ended; and, where there are no more,
the id behind which a new one will be. A page may be empty and not the last, when all of it repeats
what has ended.
"""

END = f"""{_HEAD}
-- KEYS lease stream counts marks dead bytes position; ARGV token group, and for each entry: how
-- many parts follow, its name, and of each id the size and whether it was counted as read; how
-- many its counts are, names and counts; how many letters it has, and of each how many parts it
-- is, and those
{FENCE}
{_LAST_DELIVERED}
local stream, group, place = KEYS[2], ARGV[2], 3
local function parts()
  local taken, count = {{}}, tonumber(ARGV[place])
  for number = 1, count do
    taken[number] = ARGV[place + number]
  end
  place = place + count + 1
  return taken
end
local function before(id)
  local milliseconds, number = string.match(id, '(%d+)-(%d+)')
  if number ~= '0' then
    return string.format('%s-%.0f', milliseconds, tonumber(number) - 1)
  end
  return string.format('%.0f-18446744073709551615', tonumber(milliseconds) - 1)
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
  if #ended > 0 then
    -- What lies behind one that waits.
    redis.call('XDEL', stream, unpack(ended))
  end
  redis.call('SET', KEYS[7], before(oldest[1]))
else
  local last = last_delivered(stream, group)
  local milliseconds, number = string.match(last, '(%d+)-(%d+)')
  local following = string.format('%s-%.0f', milliseconds, tonumber(number) + 1)
  redis.call('XTRIM', stream, 'MINID', following)
  redis.call('SET', KEYS[7], last)
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
