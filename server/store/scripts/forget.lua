-- forget takes a topic out of the catalog if its stream is gone and its row is
-- still the one that was read. KEYS: the catalog of the shard, the stream.
-- ARGV: the topic, the row. Answers 1 when forgotten, else 0.
if redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
return redis.call('HDEL', KEYS[1], ARGV[1])
