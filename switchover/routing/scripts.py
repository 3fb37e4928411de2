"""The Lua scripts of the routing store: what has to happen in one atomic step in Redis.

Every script takes the keys ``routing`` (a hash) and ``changes`` (a stream) of one
migration, and answers with a list whose first item is the outcome.
"""

from __future__ import annotations

#: How many routing changes the stream keeps; routers only need the newest.
CHANGES_KEPT = 1000

#: Arguments: epoch, document, the halt it names, ``1`` if the document leaves the safe modes,
#: ``1`` if it ends the halt it names.
#: Outcomes: written · same (written before) · stale, epoch · halted, epoch, halt.
WRITE = f"""
local stored = redis.call('HGET', KEYS[1], 'epoch')
local halt = redis.call('HGET', KEYS[1], 'halt') or ''
if stored then
  if tonumber(stored) == tonumber(ARGV[1])
      and redis.call('HGET', KEYS[1], 'document') == ARGV[2] then
    return {{'same'}}
  end
  if tonumber(ARGV[1]) <= tonumber(stored) then
    return {{'stale', stored}}
  end
end
if halt ~= '' and halt ~= ARGV[3] and ARGV[4] == '1' then
  return {{'halted', stored or '0', halt}}
end
redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'document', ARGV[2])
if halt ~= '' and halt == ARGV[3] and ARGV[5] == '1' then
  redis.call('HSET', KEYS[1], 'halt', '')
end
redis.call('XADD', KEYS[2], 'MAXLEN', '~', {CHANGES_KEPT}, '*',
  'epoch', ARGV[1], 'document', ARGV[2])
return {{'written'}}
"""

#: Arguments: halt id, the epoch to beat besides the stored one, the new document and the halt
#: document, each as what stands before and after its epoch, ``1`` to insist on it past the point
#: of no return. The epoch is filled in here, so
#: that no concurrent write can come between and a halt is carried out at the first attempt.
#: Outcomes: written, halt document · stands, halt document (this id was carried out before, or
#: another one is in force) · passed (the stored document is past the point of no return).
HALT = f"""
if redis.call('HGET', KEYS[1], 'halt_latest') == ARGV[1]
    or (redis.call('HGET', KEYS[1], 'halt') or '') ~= '' then
  return {{'stands', redis.call('HGET', KEYS[1], 'halt_document')}}
end
if ARGV[7] ~= '1' then
  -- A document that can't be read forbids nothing.
  local readable, before = pcall(cjson.decode, redis.call('HGET', KEYS[1], 'document') or '')
  if readable and type(before) == 'table' and before['no_return'] == true then
    return {{'passed'}}
  end
end
local stored = tonumber(redis.call('HGET', KEYS[1], 'epoch') or '0') or 0
local epoch = string.format('%.0f', math.max(stored, tonumber(ARGV[2])) + 1)
local document = ARGV[3] .. epoch .. ARGV[4]
local halt = ARGV[5] .. epoch .. ARGV[6]
redis.call('HSET', KEYS[1], 'epoch', epoch, 'document', document,
  'halt', ARGV[1], 'halt_latest', ARGV[1], 'halt_document', halt)
-- The traffic turns even where the stream can't be written: routers look by themselves too.
redis.pcall('XADD', KEYS[2], 'MAXLEN', '~', {CHANGES_KEPT}, '*',
  'epoch', epoch, 'document', document)
return {{'written', halt}}
"""

#: Arguments: an id of the stream, how many entries to give at most. Changes nothing.
#: Answers, of one moment: entries from that id on, itself included; the id given last, the
#: largest one deleted out of turn and how many are missing at the old end, each empty where
#: there is no stream; the epoch and the document in force, empty where there are none.
AFTER = """
local stream = {}
if redis.call('EXISTS', KEYS[2]) == 1 then
  local found = redis.call('XINFO', 'STREAM', KEYS[2])
  for at = 1, #found, 2 do
    stream[found[at]] = found[at + 1]
  end
end
local missing = stream['entries-added'] and stream['entries-added'] - stream['length']
return {
  redis.call('XRANGE', KEYS[2], ARGV[1], '+', 'COUNT', ARGV[2]),
  stream['last-generated-id'] or '', stream['max-deleted-entry-id'] or '', missing or '',
  redis.call('HGET', KEYS[1], 'epoch') or '', redis.call('HGET', KEYS[1], 'document') or ''
}
"""
