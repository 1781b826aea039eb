package machine

import (
	"encoding/binary"
	"hash/fnv"
	"time"

	"github.com/fdbelection/fdbelection/election"
)

// claimDelay is when this candidate may take a seat that is open. Those of a higher
// rank go first, one after the other, so that a vacancy is not stormed: the
// first goes at once, and each of the others finds the seat taken. Candidates that do
// not know how many go before them come after those that do, spread by chance.
type claimDelay struct {
	set   bool
	delay time.Duration // after the seat has opened
}

// claimTime is when a cycle is due that does something about the seat, and
// whether there is one. It only saves cycles: the transaction decides.
func (m *Machine) claimTime() (time.Time, bool) {
	leader := &m.leader.leader
	switch {
	case !m.leader.looked, !m.config.ElectionEnabled, m.me.Role != election.Voter:
		return time.Time{}, false
	case m.aim != Campaign:
		return time.Time{}, false
	case leader.HeldBy(m.me.Identity) && !leader.Accepted: // it was handed over
		return m.claimAt, true
	case !m.candidates.tried:
		return time.Time{}, false
	}
	at := m.openTime()
	if m.termChanged && m.foremost() {
		at = m.now.Local // whoever is first does not look before it tries
	}
	if m.outranks() { // a challenge is kept fresh, once per heartbeat
		at = earliest(at, latest(m.renewAt, m.preemptAt()))
	}
	return latest(at, m.claimAt, m.soonest, m.holdOff, m.reopens()), true
}

// outranks reports whether the leader has a lower priority, for which it may have
// to go.
func (m *Machine) outranks() bool {
	leader := &m.leader.leader
	return m.wanted() && m.config.AllowPreemption && m.me.Priority > leader.Priority &&
		!leader.Vacant() && !leader.HeldBy(m.me.Identity)
}

// openTime is when the seat is open to this candidate.
func (m *Machine) openTime() time.Time {
	leader := &m.leader.leader
	switch {
	case leader.HeldBy(m.me.Identity): // in a tenure that is over here
		return m.now.Local
	case leader.Vacant():
		return m.leader.seen.BallotSince.Add(m.delay())
	default:
		return m.leaseEnd().Add(m.delay())
	}
}

// delay is how long this candidate leaves an open seat to others. It is chosen
// once for each ballot.
func (m *Machine) delay() time.Duration {
	if !m.claimDelay.set {
		m.claimDelay = claimDelay{set: true, delay: m.delayFor(m.ahead()) + m.spread()}
	}
	return m.claimDelay.delay
}

// delayFor is the delay behind a number of others: as long as a claim takes for
// each, or a fiftieth of the heartbeat, and a part by chance, for those who do
// not agree on the rank. It ends at a lease.
func (m *Machine) delayFor(ahead int) time.Duration {
	if ahead == 0 {
		return 0
	}
	gap := m.gap()
	chance := m.chance(m.leader.leader.Ballot)
	if ahead > int(m.config.LeaseDuration/gap) {
		return m.config.LeaseDuration + time.Duration(chance*float64(m.config.LeaseDuration))
	}
	return time.Duration(ahead)*gap + time.Duration(chance*float64(gap)/2)
}

// gap is how far apart two candidates claim.
func (m *Machine) gap() time.Duration {
	return max(m.config.HeartbeatInterval/50, m.latency, time.Millisecond)
}

// slots is how many slots the candidates outside of the shortlist are spread over.
const slots = 12

// spread is how long a candidate outside of the shortlist waits after that. Each slot is
// taken by twice as many candidates as the one before it. So the first slot that is
// taken at all is taken by one or two of them, however many there are (up to about
// 2^slots), and the seat is not open for longer than all slots. The idea is that of the
// Sift protocol for wireless networks (Jamieson, Balakrishnan and Tay, 2006).
func (m *Machine) spread() time.Duration {
	if !m.outside() {
		return 0
	}
	width := min(5*m.gap()/2, m.config.LeaseDuration/(slots+1))
	if m.leader.last == m.me.Identity {
		return (slots + 1) * width
	}
	chance, slot := m.chance(^m.leader.leader.Ballot), slots
	for ; slot > 0 && chance < 0.5; slot-- {
		chance *= 2
	}
	if slot > 0 {
		chance = 2*chance - 1
	}
	return time.Duration((float64(slot) + chance) * float64(width))
}

// chance is a number from 0 to below 1 for one purpose of this process: no two
// processes wait in step, and a run is replayed from its identities.
func (m *Machine) chance(purpose uint64) float64 {
	hash := fnv.New64a()
	_, _ = hash.Write(m.me.Incarnation[:])
	_, _ = hash.Write([]byte(m.me.ID))
	_, _ = hash.Write(binary.BigEndian.AppendUint64(nil, purpose))
	sum := hash.Sum64()
	sum ^= sum >> 33 // FNV leaves the high bits of short inputs alike
	sum *= 0xff51afd7ed558ccd
	sum ^= sum >> 33
	return float64(sum>>11) / (1 << 53)
}
