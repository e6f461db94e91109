package hub

import "time"

// StoreState is how the store is, whatever its streams hold.
type StoreState struct {
	Code    string    // empty when it is well; else away, read_only, full or refused
	Message string    // what is wrong, for people
	Since   time.Time // when it began to be so
}

// StoreIs says how the store is. Every subscriber is told when that changes, and
// who comes later when it is not well.
func (h *Hub) StoreIs(state StoreState) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if state.Code == h.store.Code && !h.store.Since.IsZero() {
		h.store.Message = state.Message // the reason may differ; nobody is told twice
		return
	}
	first := h.store.Since.IsZero()
	h.store = state
	if first && state.Code == "" {
		return // that all is well is no news
	}
	frame := storeIs(state)
	for s := range h.subscribers {
		s.storeChanged(frame)
	}
}

// Store returns how the store is, as StoreIs said last.
func (h *Hub) Store() StoreState {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.store
}

// storeChanged notes the frame that says how the store is. It is queued when the
// subscriber reads, behind the welcome, and one that does not read gets the last.
func (s *Subscriber) storeChanged(frame []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.store = frame
	signal(s.wake)
}
