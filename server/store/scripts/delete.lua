-- delete ends a topic: its stream, the name of that stream's life and its row.
-- KEYS: the catalog of the shard, the stream, the epoch. ARGV: the topic.
-- Answers the row that stood there ('' for none), or 0 when nothing of the topic did.
local row = redis.call('HGET', KEYS[1], ARGV[1])
local gone = redis.call('DEL', KEYS[2])
redis.call('DEL', KEYS[3])
if row then
  redis.call('HDEL', KEYS[1], ARGV[1])
  return row
end
if gone == 0 then return 0 end
return ''
