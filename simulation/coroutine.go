package simulation

import "iter"

// coroutine runs one function after the other, each of which may yield. It is
// used again, so that its stack has grown already.
type coroutine struct {
	fn    func()
	next  func() (bool, bool) // goes on until a yield (false) or the end of fn (true)
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

// coroutines are those that have nothing to do.
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

// close ends those that have nothing to do.
func (p *coroutines) close() {
	for _, c := range p.idle {
		c.stop()
	}
	p.idle = nil
}
