// Package fixture holds code whose order the runtime chooses.
package fixture

import (
	"maps"
	"slices"
)

type set map[string]bool

func runtimeOrder(names map[string]int, mine set, c chan int) {
	go runtimeOrder(nil, nil, nil) // want: a goroutine: the scheduler decides when it runs
	c <- 1                         // want: a channel: the scheduler decides which goroutine wakes first
	<-c                            // want: a channel: the scheduler decides which goroutine wakes first
	for range c {                  // want: a channel: the scheduler decides which goroutine wakes first
		return
	}
	select { // want: a select: it chooses at random among the ready cases
	case <-c:
	default:
	}
	for range names { // want: a range over a map: sort the keys first, unless the body only adds up integers
		return
	}
	for name := range mine { // want: a range over a map: sort the keys first, unless the body only adds up integers
		_ = name
	}
	for name := range maps.Keys(names) { // want: an iterator over a map: pass it directly to slices.Sorted
		_ = name
	}
	text, sum := "", 0.0
	for name := range names { // want: a range over a map: sort the keys first, unless the body only adds up integers
		text += name
	}
	for _, n := range names { // want: a range over a map: sort the keys first, unless the body only adds up integers
		sum += float64(n)
	}
	_ = slices.Collect(maps.Values(names)) // want: an iterator over a map: pass it directly to slices.Sorted
}

func ownOrder(names map[string]int, list []string) {
	for _, name := range slices.Sorted(maps.Keys(names)) {
		_ = names[name]
	}
	total := 0
	for name, n := range names {
		total += n + len(name)
	}
	for range list {
		clear(names)
	}
	for range 3 {
		_ = maps.Clone(names)
	}
	delete(names, "one")
}
