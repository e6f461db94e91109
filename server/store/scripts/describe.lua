-- describe writes rows of the catalog that nobody changed meanwhile, and names
-- the lives of their streams where they have no name yet.
-- KEYS: the catalog of the shard, then each topic's epoch. ARGV: the epochs' life
-- in ms, then for each topic: its name, the row as it was read ('' for none), the
-- row to write, an epoch.
-- Answers for each topic 1 when its row stands there now, else the row that
-- stands there ('' for none).
local answer = {}
for i = 2, #KEYS do
  local at = 2 + (i - 2) * 4
  local topic, before, after, epoch = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
  local row = redis.call('HGET', KEYS[1], topic) or ''
  if row ~= before and row ~= after then
    answer[i - 1] = row
  else
    if row ~= after then redis.call('HSET', KEYS[1], topic, after) end
    redis.call('SET', KEYS[i], epoch, 'NX', 'PX', ARGV[1])
    answer[i - 1] = 1
  end
end
return answer
