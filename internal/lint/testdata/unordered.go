// Package fixture does in an order of the runtime's choice whatever can be.
package fixture

import (
	"maps"
	"slices"
)

type set map[string]bool

func runtimeOrder(names map[string]int, mine set, c chan int) {
	go runtimeOrder(nil, nil, nil) // want: a goroutine: the scheduler decides when it runs
	c <- 1                         // want: a channel: who is waked first is up to the scheduler
	<-c                            // want: a channel: who is waked first is up to the scheduler
	for range c {                  // want: a channel: who is waked first is up to the scheduler
		return
	}
	select { // want: a select: it chooses at random among what is ready
	case <-c:
	default:
	}
	for range names { // want: a range over a map: sort the keys first, unless all it does is add up integers
		return
	}
	for name := range mine { // want: a range over a map: sort the keys first, unless all it does is add up integers
		_ = name
	}
	for name := range maps.Keys(names) { // want: an iterator over a map: give it to slices.Sorted at once
		_ = name
	}
	text, sum := "", 0.0
	for name := range names { // want: a range over a map: sort the keys first, unless all it does is add up integers
		text += name
	}
	for _, n := range names { // want: a range over a map: sort the keys first, unless all it does is add up integers
		sum += float64(n)
	}
	_ = slices.Collect(maps.Values(names)) // want: an iterator over a map: give it to slices.Sorted at once
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
