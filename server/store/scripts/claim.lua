-- claim says which body an Idempotency-Key stands for.
-- KEYS: the claim. ARGV: the body's hash, the claim's life in ms.
-- Answers 1 when the key stands for this body, 0 when it stands for another.
local body = redis.call('GET', KEYS[1])
if body then
  if body == ARGV[1] then return 1 end
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
