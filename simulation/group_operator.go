package simulation

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

// This file is what operators of a group do. Each act is a task, so it interleaves with
// everything else.

// The labels of transactions that damage or restore records. No program does that. The log says
// what a logged one does.
const (
	labelRaw    = "operator damages"
	labelLogged = "operator damages and logs"
)

// labelRaise is the label of transactions of an operator that raise terms.
const labelRaise = "operator raises"

// operate lets an operator do something, or nothing.
func (w *groupWorld) operate() {
	if w.chance(faultSteer) {
		w.count(faultSteer)
		w.steer()
	}
	if w.chance(faultReconfigure) {
		w.count(faultReconfigure)
		w.reconfigure()
	}
	if w.chance(faultDelete) {
		w.count(faultDelete)
		w.damage()
	}
	if w.rawAt == 0 && w.chance(faultRestore) {
		w.count(faultRestore)
		w.restore()
	}
}

// act runs a transaction of an operator as a task.
func (w *groupWorld) act(fn func(tr kv.Transaction) error) {
	w.operator.start("operator", func(t *task) {
		if err := w.database.Transact(t.ctxOf(), fn); err != nil && w.tracing {
			w.traceOf("operator", "gets %v", err)
		}
	})
}

// steer lets an operator change what is wanted of shards and members.
func (w *groupWorld) steer() {
	name, id := shardName(w.pick(faultSteer, maxShards)), w.hosts[w.pick(faultSteer, len(w.hosts))].id
	tell := func(what string) {
		if w.tracing {
			w.traceOf("operator", "%s (%s, %s)", what, name, id)
		}
	}
	switch w.pick(faultSteer, 12) {
	case 0, 1:
		tell("creates a shard")
		w.act(func(tr kv.Transaction) error {
			_, err := w.group.CreateShards(tr, []string{name}, w.calendar())
			return err
		})
	case 2, 3:
		if pinned := w.pinned(); pinned != "" && w.pick(faultSteer, 2) == 0 {
			name = pinned
		}
		tell("removes a shard")
		w.act(func(tr kv.Transaction) error {
			_, err := w.group.RemoveShards(tr, []string{name})
			return err
		})
	case 4, 5:
		tell("pins a shard")
		w.act(func(tr kv.Transaction) error { return w.group.Pin(tr, name, id) })
	case 6:
		tell("unpins a shard")
		w.act(func(tr kv.Transaction) error {
			_, err := w.group.Unpin(tr, name)
			return err
		})
	case 7:
		tell("drains a member")
		w.act(func(tr kv.Transaction) error { return w.group.Drain(tr, id) })
	case 8:
		tell("ends a drain")
		w.act(func(tr kv.Transaction) error {
			_, err := w.group.Undrain(tr, id)
			return err
		})
	case 9:
		tell("asks to resign")
		w.resign(name)
	case 10:
		tell("cancels a request")
		w.act(func(tr kv.Transaction) error {
			_, err := w.group.CancelRequest(tr, name)
			return err
		})
	default:
		tell("trims the log")
		upTo := w.db.Version() - w.span(faultSteer, 2*w.lease).Microseconds()
		w.act(func(tr kv.Transaction) error { return w.group.Trim(tr, upTo) })
	}
}

// pinned returns a shard that has a pin, or "".
func (w *groupWorld) pinned() string {
	for _, one := range sortedRecords(w.rows) {
		if one.kind == group.KindPin {
			return one.name
		}
	}
	return ""
}

// resign asks the leader of the present term to resign.
func (w *groupWorld) resign(name string) {
	row := w.rows[groupRecord{group.KindShard, name}]
	if row.Shard == nil || row.Shard.Vacant() {
		return
	}
	term, nonce := row.Shard.Term, w.uuid()
	w.act(func(tr kv.Transaction) error { return w.group.RequestResign(tr, name, term, nonce) })
}

// reconfigure changes the config for a while, or for the rest of the faults.
func (w *groupWorld) reconfigure() {
	c := w.config
	switch w.pick(faultReconfigure, 4) {
	case 0:
		w.disableForAWhile()
		return
	case 1, 2:
		for _, d := range []*time.Duration{&c.LeaseDuration, &c.HeartbeatInterval, &c.Margin, &c.SettleDelay} {
			*d = *d * time.Duration(1+w.pick(faultReconfigure, 6)) / 2
			if d == &c.LeaseDuration {
				factor := float64(c.LeaseDuration) / float64(w.config.LeaseDuration)
				c.HeartbeatInterval, c.Margin = scale(w.config.HeartbeatInterval, factor), scale(w.config.Margin, factor)
				c.SettleDelay = scale(w.config.SettleDelay, factor)
				break
			}
		}
	default:
		c.MaxMoves = 1 + w.pick(faultReconfigure, 8)
	}
	w.writeConfig(c)
}

// disableForAWhile disables the group, and enables it later.
func (w *groupWorld) disableForAWhile() {
	c := w.config
	c.Enabled = false
	w.writeConfig(c)
	w.after(w.span(faultReconfigure, 2*w.lease), func() {
		if w.faultFreeSince == 0 {
			w.writeConfig(w.config)
		}
	})
}

func scale(d time.Duration, factor float64) time.Duration { return time.Duration(float64(d) * factor) }

func (w *groupWorld) writeConfig(c group.Config) {
	c.Nonce = w.uuid()
	if w.tracing {
		w.traceOf("operator", "writes the config: lease %s, enabled %v", c.LeaseDuration, c.Enabled)
	}
	w.act(func(tr kv.Transaction) error {
		_, err := w.group.WriteConfig(tr, c)
		return err
	})
}

// keyOf returns the key of a record.
func (w *groupWorld) keyOf(one groupRecord) []byte {
	for first, kind := range groupKinds {
		if kind == one.kind {
			key := subspace.AppendString(bytes.Clone(w.records.Bytes()), first)
			if kind != group.KindConfig {
				key = subspace.AppendString(key, one.name)
			}
			return key
		}
	}
	return nil
}

// logged writes a record and an entry of the log, without any check. A nil value removes it.
func (w *groupWorld) logged(tr kv.Transaction, one groupRecord, value []byte) {
	entry := value
	if value == nil {
		tr.Clear(w.keyOf(one))
		entry = subspace.AppendBool(subspace.AppendInt(nil, 1), true)
		entry = subspace.AppendString(subspace.AppendString(entry, "operator"), "repaired")
	} else {
		tr.Set(w.keyOf(one), value)
	}
	key := subspace.AppendString(bytes.Clone(w.records.Bytes()), "log")
	at := len(key) + 1
	key = subspace.AppendVersionstamp(key, subspace.IncompleteVersionstamp(0))
	key = subspace.AppendString(subspace.AppendInt(key, int64(one.kind)), one.name)
	tr.SetVersionstampedKey(append(key, byte(at), byte(at>>8), 0, 0), entry)
	bell := subspace.AppendVersionstamp(subspace.AppendInt(nil, 1), subspace.IncompleteVersionstamp(0))
	at = len(bell) - 12
	tr.SetVersionstampedValue(subspace.AppendString(bytes.Clone(w.records.Bytes()), "bell"), append(bell, byte(at), byte(at>>8), 0, 0))
}

// rawly runs a transaction that damages or restores records, at once.
func (w *groupWorld) rawly(label string, fn func(tr kv.Transaction)) {
	err := w.db.Transact(memkv.WithLabel(context.Background(), label), func(tr kv.Transaction) error {
		fn(tr)
		return nil
	})
	if err != nil {
		panic(err)
	}
}

// damage deletes or damages one record. In half of the cases the log says so, as if a program
// with a fault had written it.
func (w *groupWorld) damage() {
	all := sortedRecords(w.rows)
	choice := w.pick(faultDelete, 8)
	garbage := []byte{0x15, 0x01, 0xff}
	name := func(text string) []byte { return subspace.AppendString(bytes.Clone(w.records.Bytes()), text) }
	switch {
	case choice == 0 && len(w.beats) > 0:
		h := w.hosts[w.pick(faultDelete, len(w.hosts))]
		key := subspace.AppendString(name("beats"), h.id)
		w.rawly(labelRaw, func(tr kv.Transaction) {
			if w.pick(faultDelete, 2) == 0 {
				tr.Clear(key)
			} else {
				tr.Set(key, garbage)
			}
		})
	case choice == 1:
		w.rawly(labelRaw, func(tr kv.Transaction) { tr.Set(name("trimmed"), garbage) })
	case choice == 2:
		w.rawly(labelRaw, func(tr kv.Transaction) { tr.Clear(name("bell")) })
	case len(all) > 0:
		one := all[w.pick(faultDelete, len(all))]
		deletes, logged := w.pick(faultDelete, 3) == 0, w.pick(faultDelete, 2) == 0
		value := garbage
		if deletes {
			value = nil
		}
		label := labelRaw
		if logged {
			label = labelLogged
		}
		w.rawly(label, func(tr kv.Transaction) {
			switch {
			case logged:
				w.logged(tr, one, value)
			case deletes:
				tr.Clear(w.keyOf(one))
			default:
				tr.Set(w.keyOf(one), value)
			}
		})
	}
}

// restore keeps the records as they are now, and restores them later.
func (w *groupWorld) restore() {
	begin, end := w.records.Range()
	rows, err := w.shadow.GetRange(begin, end, kv.RangeOptions{}).Get()
	if err != nil {
		return
	}
	w.after(w.lease+w.span(faultRestore, 3*w.lease), func() {
		if w.faultFreeSince > 0 {
			return
		}
		w.situation("database restored")
		sessions := map[election.Identity]bool{}
		for _, p := range w.live {
			sessions[p.session()] = livesIn(w.rows, p.session())
			p.startedBefore = !sessions[p.session()]
			clear(p.moving)
		}
		w.rawly(labelRaw, func(tr kv.Transaction) {
			tr.ClearRange(begin, end)
			for _, row := range rows {
				tr.Set(row.Key, row.Value)
			}
		})
		w.restored = sessions
	})
}

// noteRaw remembers what was damaged. Some checks excuse it.
func (w *groupWorld) noteRaw(c *groupCommit) {
	logged := c.entry.Label == labelLogged
	w.damaged = true
	w.restored = nil
	for i := range c.changes {
		change := &c.changes[i]
		if !logged {
			w.rawAt = c.entry.Version
		}
		for _, row := range []*group.Row{&change.before, &change.after} {
			if row.Member != nil {
				w.tamperedWith(row.Member.Identity.ID)
			}
			if row.Shard != nil && !row.Shard.Vacant() {
				w.tampered[row.Shard.Leader] = true
				w.tamperedWith(row.Shard.Leader.ID)
			}
		}
		if change.kind == group.KindShard {
			delete(w.highest, change.name)
		}
	}
	for i := range c.beats {
		w.tamperedWith(c.beats[i].id)
	}
}

// tamperedWith excuses all sessions of an id so far.
func (w *groupWorld) tamperedWith(id string) {
	for session := range w.joined {
		if session.ID == id {
			w.tampered[session] = true
			delete(w.ended, session)
		}
	}
}

// repair may end what operators wanted, and may repair what was damaged, as far as no process does.
// Processes that cannot know what was damaged are restarted.
func (w *groupWorld) repair() {
	keeps := stream(w.opts.Seed, 9)
	keepsDamage := keeps.IntN(2) == 0
	w.rawly(labelLogged, func(tr kv.Transaction) {
		for _, one := range sortedRecords(w.rows) {
			if row := w.rows[one]; !keepsDamage && row.Unreadable != nil && one.kind != group.KindMember && one.kind != group.KindConfig {
				w.logged(tr, one, nil)
			}
		}
	})
	w.transact(func(tr kv.Transaction) error {
		c := w.config
		if _, err := w.group.WriteConfig(tr, c); err != nil {
			tr.Clear(w.keyOf(groupRecord{kind: group.KindConfig}))
			if _, err := w.group.Initialize(tr, c); err != nil {
				return err
			}
		}
		if _, err := w.group.CreateShards(tr, w.shardNames(w.shards), w.calendar()); err != nil {
			return err
		}
		if keeps.IntN(2) == 0 {
			return nil
		}
		for i := range maxShards {
			if _, err := w.group.Unpin(tr, shardName(i)); err != nil {
				return err
			}
		}
		for _, h := range w.hosts {
			if _, err := w.group.Undrain(tr, h.id); err != nil {
				return err
			}
		}
		return nil
	})
	for _, p := range slices.Clone(w.live) {
		// After a restored database, all sessions end, and their processes read the records again.
		// Processes without a session do not notice.
		if p.scanned <= w.rawAt && (w.restored == nil || p.startedBefore || w.restored[p.session()]) {
			p.crash()
		}
	}
}
