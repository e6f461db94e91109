package store

import (
	"context"
	"sync"
	"time"
)

// budgetStep is how much more than its budget an append may have.
const budgetStep = 50 * time.Millisecond

// budgets gives appends contexts that end with the store, or when their budget is
// spent. Those that begin within one step share one: a timer of its own would cost an
// append about as much as a command to the store of this process.
type budgets struct {
	parent context.Context

	mu    sync.Mutex // guards:
	ctx   context.Context
	until time.Time // who begins later gets another one
}

// begin returns a context that ends in writeBudget, or up to a step later.
func (b *budgets) begin() context.Context {
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	if now.Before(b.until) {
		return b.ctx
	}
	b.until = now.Add(budgetStep)
	ctx, cancel := context.WithDeadline(b.parent, b.until.Add(writeBudget))
	context.AfterFunc(ctx, cancel) // who shares it does not know when the last is done
	b.ctx = ctx
	return ctx
}
