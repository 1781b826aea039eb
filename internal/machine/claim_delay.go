package machine

import (
	"encoding/binary"
	"hash/fnv"
	"time"
)

// claimDelay is how long this candidate leaves a vacant leadership to candidates of a
// higher rank. So few candidates claim at the same time: the first in rank claims at
// once, and each of the others sees that leadership is held. Candidates that do not know
// how many rank before them claim after those that do, at random times.
type claimDelay struct {
	set   bool
	delay time.Duration
}

// claimDelay chooses the delay once for each ballot.
func (m *Machine) claimDelay() time.Duration {
	if d := &m.claim.delay; !d.set {
		*d = claimDelay{set: true, delay: m.rankDelay(m.rankedBefore()) + m.outsideDelay() + m.unreadyDelay()}
	}
	return m.claim.delay.delay
}

// rankDelay is the delay of a candidate behind a number of others. It is one interval
// for each of them, and a random part for candidates that do not agree on the rank. It
// is at most two leases.
func (m *Machine) rankDelay(before int) time.Duration {
	if before == 0 {
		return 0
	}
	interval := m.claimInterval()
	chance := m.chance(m.leader.record.Ballot)
	if before > int(m.config.LeaseDuration/interval) {
		return m.config.LeaseDuration + time.Duration(chance*float64(m.config.LeaseDuration))
	}
	return time.Duration(before)*interval + time.Duration(chance*float64(interval)/2)
}

// claimInterval is the time between the claims of two candidates: as long as a claim
// takes, and at least a fiftieth of the heartbeat.
func (m *Machine) claimInterval() time.Duration {
	return max(m.config.HeartbeatInterval/50, m.store.latency, time.Millisecond)
}

// outsideIntervals is over how many intervals the candidates outside of the shortlist
// are spread.
const outsideIntervals = 12

// outsideDelay is how long a candidate outside of the shortlist waits in addition. Each
// interval is chosen by twice as many candidates as the one before it. So one or two
// candidates choose the first interval that is chosen at all, however many candidates
// there are (up to about 2^outsideIntervals), and leadership is not vacant for longer
// than all intervals. The idea is that of the Sift protocol for wireless networks
// (Jamieson, Balakrishnan and Tay, 2006).
func (m *Machine) outsideDelay() time.Duration {
	if !m.outsideShortlist() {
		return 0
	}
	width := min(5*m.claimInterval()/2, m.config.LeaseDuration/(outsideIntervals+1))
	if m.leader.last == m.me.Identity {
		return (outsideIntervals + 1) * width
	}
	chance, interval := m.chance(^m.leader.record.Ballot), outsideIntervals
	for ; interval > 0 && chance < 0.5; interval-- {
		chance *= 2
	}
	if interval > 0 {
		chance = 2*chance - 1
	}
	return time.Duration((float64(interval) + chance) * float64(width))
}

// chance is a number from 0 to below 1 for one purpose. It differs between processes, so
// that they do not act at the same instants. It depends on nothing but the identity and
// the purpose, so that a simulation can be replayed.
func (m *Machine) chance(purpose uint64) float64 {
	hash := fnv.New64a()
	_, _ = hash.Write(m.me.Incarnation[:])
	_, _ = hash.Write([]byte(m.me.ID))
	_, _ = hash.Write(binary.BigEndian.AppendUint64(nil, purpose))
	sum := hash.Sum64()
	sum ^= sum >> 33 // the high bits of FNV are alike for short inputs
	sum *= 0xff51afd7ed558ccd
	sum ^= sum >> 33
	return float64(sum>>11) / (1 << 53)
}
