package filekv

import "time"

// notifier tells when the store may have changed. It may cry wolf.
type notifier interface {
	// wait returns when the file may have changed, when wake was called since
	// the last return, or after d at the latest. One goroutine waits.
	wait(d time.Duration)
	// wake ends a wait.
	wake()
	// look is how often to look all the same.
	look() time.Duration
	// close releases everything. Nobody waits any more.
	close()
}

const (
	// pollEvery is how often the file is looked at where nobody tells of changes.
	pollEvery = 10 * time.Millisecond
	// lookEvery is how often where somebody does, in case something is missed.
	lookEvery = time.Second
)

// poller is the notifier that only waits.
type poller struct {
	woken chan struct{}
}

func newPoller() *poller { return &poller{woken: make(chan struct{}, 1)} }

func (p *poller) wait(d time.Duration) {
	t := time.NewTimer(d) //nolint:forbidigo // files change in real time
	defer t.Stop()
	select {
	case <-t.C:
	case <-p.woken:
	}
}

func (p *poller) wake() {
	select {
	case p.woken <- struct{}{}:
	default:
	}
}

func (p *poller) look() time.Duration { return pollEvery }

func (p *poller) close() {}
