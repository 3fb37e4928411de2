"""The Lua script of the claims: every step on a work item is one atomic step in Redis.

An item is one hash with two slots, ``serve`` and ``shadow``, each with the fields ``status``
(``held``, ``released``, ``done``), ``token``, ``owner``, ``system``, ``nonce``, ``until`` and,
once done, ``digest``, ``result``, ``failure`` and ``at``. Times are milliseconds of Redis.
"""

from __future__ import annotations

#: Keys: the item, the migration's last token. Arguments: what to do, slot, then
#: claim: owner, system, nonce, lease, retention
#: renew: token, lease, retention
#: complete: token, system, digest, result (JSON, empty: not kept), failure, retention
#: release: token
#: read: nothing
#: Outcomes: claimed, token, until · held · done · same_system · renewed, until ·
#: completed, at · released, 1 (0: completed before) · state, now, fields and values …
#: void, stored token, reason (taken, released, served, unknown, different).
#:
#: A token is newer than the last one and than the clock in microseconds, so that tokens grow
#: even where Redis lost its data or has forgotten the item.
CLAIMS = """
local slot = ARGV[2] .. '.'
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function field(name)
  return redis.call('HGET', KEYS[1], slot .. name) or ''
end

local function whole(number)
  return string.format('%.0f', number)
end

if ARGV[1] == 'read' then
  local answer = redis.call('HGETALL', KEYS[1])
  table.insert(answer, 1, 'state')
  table.insert(answer, 2, whole(now))
  return answer
end

local status, stored = field('status'), field('token')

if ARGV[1] == 'claim' then
  if status == 'done' then
    return {'done'}
  end
  if status == 'held' and now < tonumber(field('until')) then
    if field('nonce') == ARGV[5] then
      return {'claimed', stored, field('until')}
    end
    return {'held'}
  end
  local serving = redis.call('HMGET', KEYS[1], 'serve.status', 'serve.system')
  if ARGV[2] == 'shadow' and serving[2] == ARGV[4] and serving[1] ~= 'released' then
    return {'same_system'}
  end
  local last = tonumber(redis.call('GET', KEYS[2]) or '0') or 0
  local token = whole(math.max(last + 1, time[1] * 1000000 + time[2]))
  local ends = whole(now + ARGV[6])
  redis.call('SET', KEYS[2], token)
  redis.call('HSET', KEYS[1], slot .. 'status', 'held', slot .. 'token', token,
    slot .. 'owner', ARGV[3], slot .. 'system', ARGV[4], slot .. 'nonce', ARGV[5],
    slot .. 'until', ends)
  redis.call('PEXPIRE', KEYS[1], whole(ARGV[6] + ARGV[7]))
  return {'claimed', token, ends}
end

if stored == '' then
  return {'void', '0', 'unknown'}
elseif stored ~= ARGV[3] then
  return {'void', stored, status == 'done' and 'served' or 'taken'}
elseif status == 'released' and ARGV[1] ~= 'release' then
  return {'void', stored, 'released'}
end

if ARGV[1] == 'renew' then
  if status == 'done' then
    return {'void', stored, 'served'}
  end
  local ends = whole(now + ARGV[4])
  redis.call('HSET', KEYS[1], slot .. 'until', ends)
  redis.call('PEXPIRE', KEYS[1], whole(ARGV[4] + ARGV[5]))
  return {'renewed', ends}
end

if ARGV[1] == 'complete' then
  if status == 'done' then
    if field('digest') == ARGV[5] and field('system') == ARGV[4] then
      return {'completed', field('at')}
    end
    return {'void', stored, 'different'}
  end
  redis.call('HSET', KEYS[1], slot .. 'status', 'done', slot .. 'system', ARGV[4],
    slot .. 'digest', ARGV[5], slot .. 'result', ARGV[6], slot .. 'failure', ARGV[7],
    slot .. 'at', whole(now))
  redis.call('PEXPIRE', KEYS[1], ARGV[8])
  return {'completed', whole(now)}
end

if status == 'done' then
  return {'released', '0'}
end
redis.call('HSET', KEYS[1], slot .. 'status', 'released')
return {'released', '1'}
"""
