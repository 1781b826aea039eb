package demo

import (
	"errors"
	"fmt"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/internal/clock"
	"github.com/fdbelection/fdbelection/kv"
)

// groupChapters are the parts of the demo of groups. Each causes a change, waits until the
// database shows it, and checks the records.
var groupChapters = []chapterOf[*groupDemo]{
	{"64 shards", (*groupDemo).runShards},
	{"A join", (*groupDemo).runJoin},
	{"A death", (*groupDemo).runDeath},
	{"A stale leader", (*groupDemo).runStaleWrite},
	{"A drain", (*groupDemo).runDrain},
	{"A stop", (*groupDemo).runStop},
	{"The ledger", (*groupDemo).checkLedgers},
}

func (d *groupDemo) runShards() error {
	if err := d.create(); err != nil {
		return err
	}
	for _, id := range []string{"ash", "birch", "cedar"} {
		if err := d.join(id); err != nil {
			return err
		}
	}
	d.event("ash, birch and cedar join a group of %d shards.", groupShards)
	s, err := d.until("an even share for each of three members", evenly("ash", "birch", "cedar"))
	if err != nil {
		return err
	}
	d.bars(s)
	d.checked("every shard has a leader, and the shares differ by at most one")
	return nil
}

func (d *groupDemo) runJoin() error {
	before, err := d.read()
	if err != nil {
		return err
	}
	if err := d.join("elm"); err != nil {
		return err
	}
	d.event("elm joins.")
	s, err := d.until("16 shards for each member", evenly("ash", "birch", "cedar", "elm"))
	if err != nil {
		return err
	}
	d.bars(s)
	return d.checkMoves(before.version, map[string]int{"elm": groupShards / 4}, "all to elm")
}

func (d *groupDemo) runDeath() error {
	dead := d.members["birch"]
	d.late = dead.member.Shards()[0]
	before, err := d.read()
	if err != nil {
		return err
	}
	died := d.clock.Now()
	last := dead.member.Status().Beat
	dead.member.Abandon()
	d.event("birch dies. Its last heartbeat was %.2f s ago.", died.Sub(last).Seconds())
	s, err := d.until("the shards of birch led by the others", evenly("ash", "cedar", "elm"))
	if err != nil {
		return err
	}
	took := d.clock.Now().Sub(last)
	d.event("The others have seen no heartbeat for a lease. They share its shards.")
	d.bars(s)
	if took < demoLease || took > demoLease+demoLease/3 {
		return expectedGroup("all shards led a lease after the last heartbeat, and at most one heartbeat later", took)
	}
	moves, err := d.moves(before.version)
	if err != nil {
		return err
	}
	if n := moves["ash"] + moves["cedar"] + moves["elm"]; n != before.by["birch"] || moves["birch"] != 0 {
		return expectedGroup(fmt.Sprintf("%d moves", before.by["birch"]), moves)
	}
	d.checked("%d moves, only of its shards, %.2f s after its last heartbeat; the lease is %s",
		before.by["birch"], took.Seconds(), demoLease)
	return nil
}

func (d *groupDemo) runStaleWrite() error {
	d.event("birch comes back and writes for %s, under its old token of term %d.", d.late.Name(), d.late.Term())
	err := d.db.Transact(d.ctx, func(tr kv.Transaction) error {
		if err := d.late.Fence(tr); err != nil {
			return err
		}
		return d.ledgerOf(d.late.Name()).add(tr, d.late.Token().Token)
	})
	if !errors.Is(err, fdbelection.ErrFenced) {
		return expectedGroup("ErrFenced", err)
	}
	s, err := d.read()
	if err != nil {
		return err
	}
	d.checked("refused with ErrFenced: the shard is in term %d", s.terms[d.late.Name()])
	return nil
}

func (d *groupDemo) runDrain() error {
	before, err := d.read()
	if err != nil {
		return err
	}
	if err := d.db.Transact(d.ctx, func(tr kv.Transaction) error { return d.group.Drain(tr, "cedar") }); err != nil {
		return err
	}
	d.event("An operator drains cedar.")
	s, err := d.until("no shard at cedar", evenly("ash", "elm"))
	if err != nil {
		return err
	}
	d.bars(s)
	moves, err := d.moves(before.version)
	if err != nil {
		return err
	}
	if moves["ash"]+moves["elm"] != before.by["cedar"] || moves["cedar"] != 0 {
		return expectedGroup(fmt.Sprintf("%d moves", before.by["cedar"]), moves)
	}
	d.checked("%d moves, each when the work on the shard had stopped; cedar is still a member", before.by["cedar"])
	return nil
}

func (d *groupDemo) runStop() error {
	if err := d.db.Transact(d.ctx, func(tr kv.Transaction) error {
		_, err := d.group.Undrain(tr, "cedar")
		return err
	}); err != nil {
		return err
	}
	if _, err := d.until("shards at cedar again", evenly("ash", "cedar", "elm")); err != nil {
		return err
	}
	d.event("The drain ends, and cedar gets its share back.")
	if err := clock.Sleep(d.ctx, d.clock, pause); err != nil { // until all members know that
		return err
	}
	d.event("ash is asked to stop.")
	before, err := d.read()
	if err != nil {
		return err
	}
	ash, began := d.members["ash"], d.clock.Now()
	ash.stop()
	s, err := d.until("the shards of ash led by the others", evenly("cedar", "elm"))
	if err != nil {
		return err
	}
	took := d.clock.Now().Sub(began)
	<-ash.done
	d.bars(s)
	moves, err := d.moves(before.version)
	switch {
	case err != nil:
		return err
	case ash.err != nil:
		return ash.err
	case moves["cedar"]+moves["elm"] != before.by["ash"] || took >= demoLease/3:
		return expectedGroup(fmt.Sprintf("%d moves in less than a heartbeat", before.by["ash"]), fmt.Sprint(moves, " in ", took))
	}
	d.checked("%d shards handed over in less than a heartbeat; no lease had to expire", before.by["ash"])
	return nil
}

// checkMoves checks that exactly these tenures began after a version.
func (d *groupDemo) checkMoves(after int64, want map[string]int, text string) error {
	moves, err := d.moves(after)
	if err != nil {
		return err
	}
	total := 0
	for id, n := range moves {
		if total += n; n != want[id] {
			return expectedGroup(fmt.Sprintf("the moves %v", want), moves)
		}
	}
	d.checked("%d moves, %s", total, text)
	return nil
}

// checkLedgers checks what the leaders of all shards have written.
func (d *groupDemo) checkLedgers() error {
	page, err := kv.ReadTransact(d.ctx, d.db, func(tr kv.ReadTransaction) (group.Changes, error) {
		return d.group.ReadLog(tr, 0, 10_000)
	})
	if err != nil {
		return err
	}
	leaders := make(map[string]map[uint64]string) // by shard and term
	for _, c := range page.Changes {
		if c.Shard != nil && !c.Shard.Vacant() {
			if leaders[c.Name] == nil {
				leaders[c.Name] = make(map[uint64]string)
			}
			leaders[c.Name][c.Shard.Term] = c.Shard.Leader.ID
		}
	}
	rows := 0
	for shard, byTerm := range leaders {
		written, err := kv.ReadTransact(d.ctx, d.db, d.ledgerOf(shard).payments)
		if err != nil {
			return err
		}
		for i, row := range written {
			if row.number != int64(i+1) || row.by != byTerm[row.term] || i > 0 && row.term < written[i-1].term {
				return expectedGroup("rows without a gap, each by the leader of its term, in the order of the terms", row)
			}
		}
		rows += len(written)
	}
	d.checked("%d rows of %d shards without a gap, each by the leader of its term", rows, len(leaders))
	return nil
}
