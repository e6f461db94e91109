package embedded

// room makes room for one more entry of a stream: when the limit is reached, the
// oldest blocks of the fullest streams go. It is false when there is nothing left
// to let go. The caller holds the lock.
func (d *db) room(name []byte) bool {
	if d.limits.Memory <= 0 || d.bytes < d.limits.Memory {
		return true
	}
	// A little more than is needed, so that this does not run for every entry.
	for enough := d.limits.Memory - d.limits.Memory/50; d.bytes > enough; {
		k := d.fullest()
		if k == nil {
			break
		}
		s := k.value.(*stream)
		n := d.trim(k, trimming{most: s.length - int64(s.blocks[0].live), asked: true, roughly: true})
		d.stats.Evicted += n
		if n == 0 {
			break
		}
	}
	return d.bytes < d.limits.Memory
}

// fullest is the stream that takes most, of those that have more than one block.
func (d *db) fullest() (found *key) {
	most := 0
	for _, all := range d.keys {
		for _, k := range all {
			if s, ok := k.value.(*stream); ok && len(s.blocks) > 1 && s.bytes > most {
				found, most = k, s.bytes
			}
		}
	}
	return found
}
