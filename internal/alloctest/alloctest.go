// Package alloctest counts allocations for tests that compare them.
package alloctest

import "testing"

// Least returns how often f allocates in the best of runs calls. testing.AllocsPerRun returns an
// average, which other goroutines raise, and so does a sync.Pool that drops what it was given: it
// does so at random under the race detector.
func Least(runs int, f func()) float64 {
	least := testing.AllocsPerRun(1, f)
	for range runs - 1 {
		least = min(least, testing.AllocsPerRun(1, f))
	}
	return least
}
