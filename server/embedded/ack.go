package embedded

// waitAOF serves WAITAOF numlocal numreplicas timeout, as Redis 7.2 does but for
// the timeout: a sync that has begun is waited for, and there are no copies that
// could be. It answers [1, 0] when all before it is on the disk.
func (c *client) waitAOF(args [][]byte) {
	local, isLocal := parseInt(args[1])
	copies, isCount := parseInt(args[2])
	timeout, isTime := parseInt(args[3])
	l := c.db.log
	switch {
	case !isLocal || !isCount:
		c.fail(errInteger)
		return
	case local < 0 || local > 1:
		c.fail("ERR value is out of range, must be between 0 and 1")
		return
	case copies < 0:
		c.fail("ERR value is out of range, must be positive")
		return
	case !isTime:
		c.fail("ERR timeout is not an integer or out of range")
		return
	case timeout < 0:
		c.fail("ERR timeout is negative")
		return
	case local > 0 && l == nil:
		c.fail("ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.")
		return
	}
	onDisk := int64(0)
	if l != nil {
		onDisk, c.forced, c.noted = 1, true, l.noted
	}
	c.out = appendInt(appendInt(appendArray(c.out, 2), onDisk), 0)
}

// sync returns when what was noted up to a place is on the disk. Whoever comes
// first syncs for all who wait, and others write on meanwhile.
func (l *log) sync(noted int64) error {
	if err := l.commit(noted); err != nil {
		return err
	}
	l.syncing <- struct{}{}
	defer func() { <-l.syncing }()
	for l.synced.Load() < noted {
		if err := l.syncBeside(); err != nil {
			return err
		}
	}
	return nil
}
