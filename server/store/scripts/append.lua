-- append stores the entries of one keyed request in one shard, once.
-- KEYS: the record, then the streams. ARGV: the body's hash in hexadecimal, the
-- record's life in ms, the most entries of a stream, then for each entry: the
-- place of its stream in KEYS, how many readings it holds, how many fields
-- follow, and the fields with their values.
-- Answers, and remembers, "ID readings ID readings ..."; when the record exists
-- it answers from it and stores nothing.
local seen = redis.call('GET', KEYS[1])
if seen then
  if string.sub(seen, 1, 64) ~= ARGV[1] then
    return redis.error_reply('CONFLICT the key stands for another body')
  end
  return string.sub(seen, 66)
end
-- A script is not rolled back: what could fail half-way is checked first.
for i = 2, #KEYS do
  local kind = redis.call('TYPE', KEYS[i])['ok']
  if kind ~= 'none' and kind ~= 'stream' then
    return redis.error_reply('WRONGTYPE a key of a stream holds a ' .. kind)
  end
end
local answer = {}
local at = 4
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
