package cli_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/cmd/internal/processtest"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/filekv"
	"github.com/fdbelection/fdbelection/subspace"
)

// rubbish is a value that no version can read and that would control a terminal. newer is
// from a newer version.
var (
	rubbish = []byte("\x15\x01\x02rubb\x1b[2Jish")
	newer   = []byte("\x15\x63")
)

// key returns the key of a record of the desk's election.
func (d *desk) key(names ...string) []byte { return d.Subspace().Sub(names...).Bytes() }

// spoil replaces a record by a value.
func (d *desk) spoil(value []byte, names ...string) {
	d.t.Helper()
	d.does(func(tr kv.Transaction) error { tr.Set(d.key(names...), value); return nil })
}

// lose removes a record.
func (d *desk) lose(names ...string) {
	d.t.Helper()
	d.does(func(tr kv.Transaction) error { tr.Clear(d.key(names...)); return nil })
}

// TestLostLeaderRecord: if only the leader record is missing, status, list and doctor say
// so and name the command that repairs it. That command does.
func TestLostLeaderRecord(t *testing.T) {
	for name, held := range map[string]bool{"held": true, "vacant": false} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("FDBELECT_STORE", "file:"+lostLeader(t, held))
			require.Zero(t, processtest.Typed(t, "config set lease=1s heartbeat=300ms candidate_timeout=2s").Code) // doctor need not watch for long
			seat := either(held, "By the term record, a holds leadership in term 1", "By the term record, leadership is vacant after term 1")

			o := processtest.Typed(t, "status")
			require.Equal(t, 1, o.Code, o.Stdout)
			require.Contains(t, o.Stdout, seat)
			require.Regexp(t, `(?m)^term +1$`, o.Stdout)
			require.NotContains(t, o.Stdout, "none yet")
			require.Contains(t, o.Stderr, `"fdbelect raise-term --floor 1 --force"`)
			require.NotContains(t, o.Stdout+o.Stderr, "2147483647")
			o = processtest.Typed(t, "status -o json")
			require.Equal(t, 1, o.Code)
			require.Contains(t, o.Stdout, `"record": "leader"`)
			require.Contains(t, o.Stdout, `"term": 1`)
			ballot := either(held, `"ballot": 1,`, `"ballot": 2,`) // that of the term record
			require.Contains(t, o.Stdout, ballot)
			require.Contains(t, processtest.Typed(t, "list -o json").Stdout, ballot)
			o = processtest.Typed(t, "list")
			require.Equal(t, 1, o.Code, o.Stdout)
			require.Regexp(t, `(?m)^default +election +- +1 +2 +damaged$`, o.Stdout)
			o = processtest.Typed(t, "candidates")
			require.Equal(t, 1, o.Code, o.Stdout)
			require.Contains(t, o.Stdout, "\n2     b ", "they are listed all the same")
			for _, quick := range []string{"", " --quick"} {
				o = processtest.Typed(t, "doctor"+quick)
				require.Equal(t, 1, o.Code, o.Stdout)
				require.Regexp(t, `(?m)^fail +records +invalid stored record: leader at key .* is missing although a term record stands`, o.Stdout)
				require.Contains(t, o.Stdout, "fdbelect raise-term")
				require.NotContains(t, o.Stdout, "the clock of a")
			}

			if held {
				o = processtest.Typed(t, "raise-term --floor 1")
				require.Equal(t, 1, o.Code, o.Stdout)
				require.Contains(t, o.Stderr, "by the record, a holds leadership in term 1")
				require.Contains(t, o.Stderr, "--force")
			}
			o = processtest.Typed(t, "raise-term --floor 1"+either(held, " --force", ""))
			require.Zero(t, o.Code, o.Stderr)
			require.Contains(t, o.Stdout, "the leader record was lost, and is written again: leadership is vacant after term 1")
			o = processtest.Typed(t, "status")
			require.Zero(t, o.Code, o.Stderr)
			require.Contains(t, o.Stdout, "none: leadership is vacant, a led last")
			o = processtest.Typed(t, "raise-term --floor 1")
			require.Zero(t, o.Code, o.Stderr)
			require.Contains(t, o.Stdout, "nothing was changed")
			require.Zero(t, processtest.Typed(t, "list").Code)
		})
	}
}

// lostLeader returns a store file without the leader record.
func lostLeader(t *testing.T, held bool) string {
	t.Helper()
	file := processtest.StoreFile(t)
	db, err := filekv.Open(file, filekv.Options{})
	require.NoError(t, err)
	defer db.Close()
	e := election.New(subspace.New("fdbelection", "default"))
	people(t, db, e)
	require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error {
		if !held {
			leader, err := e.GetLeaderRaw(tr)
			if err != nil {
				return err
			}
			if err := e.ResignLeadership(tr, leader.Token(), time.Now()); err != nil {
				return err
			}
		}
		return nil
	}))
	require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error {
		tr.Clear(e.Subspace().Sub("leader").Bytes())
		return nil
	}))
	return file
}

// TestRaiseTermRepairsTheLeaderRecord: raise-term also replaces a damaged leader record, and
// reports the same if its transaction runs twice.
func TestRaiseTermRepairsTheLeaderRecord(t *testing.T) {
	for name, spoil := range map[string]func(d *desk){
		"damaged": func(d *desk) { d.spoil(rubbish, "leader") },
		"lost":    func(d *desk) { d.lose("leader") },
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			d.made()
			spoil(d)
			o := d.runs("raise-term", "--floor", "1")
			require.Equal(t, 1, o.Code, o.Stdout)
			require.Contains(t, o.Stderr, "--force")
			d.twice = true
			o = d.runs("raise-term", "--floor", "1", "--force")
			require.Zero(t, o.Code, o.Stderr)
			require.Contains(t, o.Stdout, "is written again: leadership is vacant after term 1")
			require.True(t, d.state().Leader.Vacant())
			require.NoError(t, d.state().Unreadable)
			o = d.runs("history")
			require.Contains(t, o.Stdout, "by an operator")
		})
	}
	d := newDesk(t)
	d.made()
	d.spoil(newer, "leader")
	for _, args := range [][]string{{"raise-term", "--floor", "1"}, {"raise-term", "--floor", "1", "--force"}} {
		o := d.runs(args...)
		require.Equal(t, 1, o.Code, o.Stdout)
		require.Contains(t, o.Stderr, "a newer program wrote it")
		require.NotContains(t, o.Stderr, "--force")
	}
}

// TestDamagedAdvisoryRecords: a command that reads an unreadable record names it and shows
// everything else.
func TestDamagedAdvisoryRecords(t *testing.T) {
	began, err := subspace.New("fdbelection", "default", "history").Pack(subspace.Tuple{subspace.Int(1), subspace.Int(0)})
	require.NoError(t, err)
	for _, test := range []struct {
		record, do string
		value      []byte
		key        []byte
		seen       []string // the commands that read it
	}{
		{record: "intent", value: rubbish, do: `"fdbelect cancel" removes it`, seen: []string{"status", "list", "doctor --quick"}},
		{record: "intent", value: newer, do: "a newer program wrote it", seen: []string{"status", "list", "doctor --quick"}},
		{record: "term", value: rubbish, do: `"fdbelect repair" repairs it`, seen: []string{"status", "list", "doctor --quick"}},
		{
			record: "candidate", value: rubbish, do: `"fdbelect repair" repairs it`, seen: []string{"list", "candidates", "doctor --quick"},
			key: subspace.New("fdbelection", "default", "candidates", "evil").Bytes(),
		},
		{record: "history", value: rubbish, key: began, do: `"fdbelect repair" repairs it`, seen: []string{"history", "doctor --quick"}},
	} {
		t.Run(test.record, func(t *testing.T) {
			d := newDesk(t)
			d.made()
			if test.key == nil {
				test.key = d.key(test.record)
			}
			if test.record == "history" {
				d.does(func(tr kv.Transaction) error { _, err := d.RaiseTerm(tr, 5, time.Now()); return err })
			}
			d.does(func(tr kv.Transaction) error { tr.Set(test.key, test.value); return nil })
			for _, line := range test.seen {
				o := d.runs(words(line)...)
				require.Equal(t, 1, o.Code, "%s: %s", line, o.Stdout)
				require.Contains(t, o.Stdout+o.Stderr, test.record+" at key", line)
				require.Contains(t, o.Stdout+o.Stderr, test.do, line)
				require.NotContains(t, o.Stdout+o.Stderr, "\x1b", line)
			}
			switch test.record {
			case "candidate":
				require.Contains(t, d.runs("candidates").Stdout, "other#")
			case "history":
				require.Regexp(t, `(?m)^5 .* ended `, d.runs("history").Stdout)
			default:
				o := d.runs("status")
				require.Regexp(t, `(?m)^leader +leader#`, o.Stdout)
				require.Regexp(t, `(?m)^damaged +`+test.record+`$`, o.Stdout)
				var shown struct {
					Leader     *struct{ ID string }
					Unreadable []struct{ Record, Do string }
				}
				o = d.runs("status", "-o", "json")
				require.NoError(t, json.Unmarshal([]byte(o.Stdout), &shown))
				require.Equal(t, "leader", shown.Leader.ID)
				require.Len(t, shown.Unreadable, 1)
				require.Contains(t, shown.Unreadable[0].Do, test.do)
				o = d.runs("doctor", "--quick")
				require.NotContains(t, o.Stdout, either(test.record == "intent", "there is no request", "changed only one of them"))
			}
		})
	}
}

// TestWatchReportsDamage: a watch reports unreadable records, and continues.
func TestWatchReportsDamage(t *testing.T) {
	d := newDesk(t)
	d.made()
	d.spoil(rubbish, "intent")
	o := d.runs("watch", "--until", "event=unreadable", "--for", "1m")
	require.Zero(t, o.Code, o.Stderr)
	require.Contains(t, o.Stdout, "leader=leader term=1")
	require.Contains(t, o.Stdout, "intent at key")
	require.Contains(t, o.Stdout, "fdbelect cancel")
}
