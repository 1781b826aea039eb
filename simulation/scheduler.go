package simulation

import "time"

// scheduler is simulated time: a queue of events.
type scheduler struct {
	now    time.Duration // since the beginning
	seq    uint64
	queue  eventQueue
	events uint64
	still  int // events without time passing
}

// event is a function to call, or a task to resume.
type event struct {
	at   time.Duration
	seq  uint64
	run  func()
	task *task
	wait uint64 // the event is void if the task is in another wait
	held bool   // it waits for the end of a pause of its process
}

// before orders events by time, then by the order in which they were scheduled.
func (e *event) before(other *event) bool {
	if e.at != other.at {
		return e.at < other.at
	}
	return e.seq < other.seq
}

// eventQueue is a binary heap. The first event is the next one.
type eventQueue []event

func (q *eventQueue) push(e event) {
	*q = append(*q, e)
	h := *q
	for i := len(h) - 1; i > 0; {
		parent := (i - 1) / 2
		if !h[i].before(&h[parent]) {
			return
		}
		h[i], h[parent] = h[parent], h[i]
		i = parent
	}
}

func (q *eventQueue) pop() event {
	h := *q
	first, last := h[0], len(h)-1
	h[0], h[last] = h[last], event{}
	h = h[:last]
	*q = h
	for i := 0; ; {
		least := i
		for _, child := range [...]int{2*i + 1, 2*i + 2} {
			if child < last && h[child].before(&h[least]) {
				least = child
			}
		}
		if least == i {
			return first
		}
		h[i], h[least] = h[least], h[i]
		i = least
	}
}

// after calls run when d has passed.
func (s *scheduler) after(d time.Duration, run func()) { s.atTime(s.now+max(d, 0), run) }

func (s *scheduler) atTime(at time.Duration, run func()) {
	s.seq++
	s.queue.push(event{at: max(at, s.now), seq: s.seq, run: run})
}

// resumeAt resumes a task at a time.
func (s *scheduler) resumeAt(at time.Duration, t *task, wait uint64, held bool) {
	s.seq++
	s.queue.push(event{at: max(at, s.now), seq: s.seq, task: t, wait: wait, held: held})
}

// run handles all events up to a time, or until stop returns true.
func (s *scheduler) run(until time.Duration, stop func() bool) {
	for len(s.queue) > 0 && s.queue[0].at <= until && !stop() {
		e := s.queue.pop()
		if s.still++; e.at > s.now {
			s.now, s.still = e.at, 0
		}
		s.events++
		switch {
		case e.run != nil:
			e.run()
		case e.held && e.task.node.pausedUntil > s.now:
			s.resumeAt(e.task.node.pausedUntil, e.task, e.wait, true)
		default:
			e.task.resume(e.wait)
		}
	}
	if !stop() {
		s.now = max(s.now, until)
	}
}
