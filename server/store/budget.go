package store

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// budgetStep is how much more than its budget an append may have.
const budgetStep = 50 * time.Millisecond

// budgets gives appends contexts that end with the store, or when their budget is
// spent. Those that begin within one step share one: a timer of its own would cost an
// append as much as its command.
type budgets struct {
	parent context.Context

	mu  sync.Mutex // held while one is made
	now atomic.Pointer[budget]
}

// budget is the context of those that begin before until.
type budget struct {
	context.Context
	until time.Time
}

// begin returns a context that ends in writeBudget, or up to a step later.
func (b *budgets) begin() context.Context {
	now := time.Now()
	if shared := b.now.Load(); shared != nil && now.Before(shared.until) {
		return shared.Context
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if shared := b.now.Load(); shared != nil && now.Before(shared.until) {
		return shared.Context // another was sooner
	}
	until := now.Add(budgetStep)
	ctx, cancel := context.WithDeadline(b.parent, until.Add(writeBudget))
	context.AfterFunc(ctx, cancel) // who shares it does not know when the last is done
	b.now.Store(&budget{ctx, until})
	return ctx
}
