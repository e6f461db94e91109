// Package faults holds the runs of the oracle: a whole Readout over a real Redis,
// something that fails, and the proof that nobody was told anything untrue. The
// tests need the build tag faults; ./task faults runs them in their short form,
// ./task long in the long one.
package faults
