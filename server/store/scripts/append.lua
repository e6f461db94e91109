-- append stores the entries of one keyed request in one shard, once.
-- KEYS: the record, perhaps the claim, then the streams. ARGV: the body's hash in
-- hexadecimal, the record's life in ms, the most entries of a stream, the place of
-- the claim in KEYS (0 when it was made before, by the script claim), then for each
-- entry: the place of its stream in KEYS, how many readings it holds, how many
-- fields follow, and the fields with their values.
-- Answers, and remembers, "ID readings ID readings ..."; when the record exists
-- it answers from it and stores nothing.
local claim = tonumber(ARGV[4])
if claim > 0 then
  local body = redis.call('GET', KEYS[claim])
  if body and body ~= ARGV[1] then
    return redis.error_reply('CONFLICT the key stands for another body')
  end
  if not body then redis.call('SET', KEYS[claim], ARGV[1], 'PX', ARGV[2]) end
end
local seen = redis.call('GET', KEYS[1])
if seen then
  if string.sub(seen, 1, 64) ~= ARGV[1] then
    return redis.error_reply('CONFLICT the key stands for another body')
  end
  return string.sub(seen, 66)
end
-- A script is not rolled back: what could fail half-way is checked first.
for i = math.max(2, claim + 1), #KEYS do
  local kind = redis.call('TYPE', KEYS[i])['ok']
  if kind ~= 'none' and kind ~= 'stream' then
    return redis.error_reply('WRONGTYPE a key of a stream holds a ' .. kind)
  end
end
local answer = {}
local at = 5
while at <= #ARGV do
  local add = {'XADD', KEYS[tonumber(ARGV[at])], 'MAXLEN', '~', ARGV[3], '*'}
  local readings, fields = ARGV[at + 1], tonumber(ARGV[at + 2])
  for i = at + 3, at + 2 + fields do add[#add + 1] = ARGV[i] end
  answer[#answer + 1] = redis.call(unpack(add))
  answer[#answer + 1] = readings
  at = at + 3 + fields
end
local text = table.concat(answer, ' ')
redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. text, 'PX', ARGV[2])
return text
