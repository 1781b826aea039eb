package serve

import "sync"

// details are what the pages of one election, or of one group, share. Each is removed with its last
// page.
type details[D any] struct {
	mu  sync.Mutex
	all map[string]*opened[D]
}

// opened is a detail, and how many pages of it are open.
type opened[D any] struct {
	detail D
	pages  int
}

// open returns the detail of a name, for one more page. Call done at its end.
func (d *details[D]) open(name string, create func() D) (detail D, done func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	o := d.all[name]
	if o == nil {
		o = &opened[D]{detail: create()}
		if d.all == nil {
			d.all = make(map[string]*opened[D])
		}
		d.all[name] = o
	}
	o.pages++
	return o.detail, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if o.pages--; o.pages == 0 {
			delete(d.all, name)
		}
	}
}
