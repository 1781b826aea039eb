package machine

import (
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection/election"
)

// This file holds what happens in a world beside the operations of the machine:
// the writes of the seat, the watches, another contender, and troubles.

func vacated(l election.LeaderRecord) election.LeaderRecord {
	return election.LeaderRecord{Ballot: l.Ballot + 1, Term: l.Term, Nonce: l.Nonce}
}

func (w *world) vacate() { w.write(vacated(w.leader)) }

func (w *world) nonce() (n uuid.UUID) {
	for i := range n {
		n[i] = byte(w.random.UintN(256))
	}
	return n
}

// write replaces the leader record, and tells the watches where the tenure
// changes.
func (w *world) write(next election.LeaderRecord) {
	changed := next.Token() != w.leader.Token()
	w.leader = next
	w.version++
	if changed {
		w.intent = election.Request{}
		w.fire(WatchTerm)
		w.fire(WatchRequest)
	}
}

func (w *world) fire(kind Kind) {
	for _, o := range w.sortedWatches() {
		if o.op.Kind == kind && !w.chance(w.faults) { // or it is lost
			w.after(w.delay(), func() { o.fire(nil) })
		}
	}
}

func (w *world) sortedWatches() []*run {
	var all []*run
	for id := range uint64(1 << 20) {
		if len(all) == len(w.watches) {
			break
		}
		if o := w.watches[id]; o != nil {
			all = append(all, o)
		}
	}
	return all
}

func (o *run) fire(err error) {
	if !o.armed || o.done {
		return
	}
	o.done = true
	delete(o.world.watches, o.op.ID)
	delete(o.world.running, o.op.ID)
	o.world.post(WatchEnded{Op: o.op.ID, Err: err})
}

// live has the other contender act, again and again.
func (w *world) live() {
	if !w.bobLives {
		return
	}
	w.bobBeats++
	seat := w.leader
	w.bobSaw = w.bobSaw.Next(seat, w.local())
	claim := func(who election.Identity, accepted bool) election.LeaderRecord {
		return election.LeaderRecord{
			Ballot: seat.Ballot + 1, Term: seat.Term + 1, Identity: who, Priority: 3, Accepted: accepted,
			Nonce: w.nonce(), LeaseDuration: w.config.LeaseDuration,
		}
	}
	switch {
	case !w.exists || !w.config.ElectionEnabled:
	case seat.HeldBy(bob) && w.chance(0.05):
		w.vacate()
	case seat.HeldBy(bob) && w.chance(0.05) && w.registered:
		next := claim(alice, false)
		next.LeaseDuration = w.config.AcceptanceLease()
		w.write(next)
	case seat.HeldBy(bob):
		seat.Ballot, seat.Accepted, seat.LeaseDuration = seat.Ballot+1, true, w.config.LeaseDuration
		w.write(seat)
	case seat.Vacant() && w.chance(0.3), w.bobSaw.LeaseExpired(seat, w.local()), w.chance(0.02):
		w.write(claim(bob, true))
	case w.chance(0.1) && !seat.Vacant():
		kinds := []election.RequestKind{election.PreemptionRequest, election.ResignRequest, election.TransferRequest}
		w.intent = election.Request{Kind: kinds[w.random.IntN(3)], Term: seat.Term, Identity: bob, Nonce: w.nonce()}
		w.fire(WatchRequest)
	}
	w.after(time.Duration(float64(w.config.HeartbeatInterval)*(0.5+w.random.Float64())), w.live)
}

// upset does something that a machine may meet at any time.
func (w *world) upset() {
	switch w.random.IntN(12) {
	case 0:
		w.registered = false // evicted
	case 1:
		w.config.LeaseDuration = time.Duration(4+w.random.IntN(16)) * time.Second
		w.config.Revision++
	case 2, 3:
		w.config.ElectionEnabled = !w.config.ElectionEnabled
		w.config.Revision++
	case 4:
		w.config.PreemptionGrace = time.Duration(w.random.IntN(3)) * 4 * time.Second
		w.config.Revision++
	case 5:
		if w.chance(0.2) { // everything is removed
			w.exists, w.registered, w.restored = false, false, true
			w.write(election.LeaderRecord{})
		}
	case 6:
		if w.chance(0.1) {
			w.doubled = true
		}
	case 7:
		for _, o := range w.sortedWatches() {
			o.fire(errors.New("the watch is lost"))
		}
	case 8:
		for _, o := range w.sortedWatches() {
			o.fire(nil)
		}
	case 9:
		w.faults = 0.4 * w.random.Float64()
	}
}
