package simulation

import "iter"

// coroutine runs one function after another, each of which may yield. Coroutines are
// reused, because their stacks have grown already.
type coroutine struct {
	fn    func()
	next  func() (bool, bool) // resumes until a yield (false) or the end of fn (true)
	stop  func()
	yield func(bool) bool
}

func newCoroutine() *coroutine {
	c := &coroutine{}
	c.next, c.stop = iter.Pull(func(yield func(bool) bool) {
		c.yield = yield
		for {
			c.fn()
			c.fn = nil
			if !yield(true) {
				return
			}
		}
	})
	return c
}

// coroutines are the idle ones.
type coroutines struct{ idle []*coroutine }

func (p *coroutines) take() *coroutine {
	n := len(p.idle)
	if n == 0 {
		return newCoroutine()
	}
	c := p.idle[n-1]
	p.idle = p.idle[:n-1]
	return c
}

func (p *coroutines) put(c *coroutine) { p.idle = append(p.idle, c) }

// close ends the idle ones.
func (p *coroutines) close() {
	for _, c := range p.idle {
		c.stop()
	}
	p.idle = nil
}
