package clitest

import (
	"encoding/binary"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

// Pool is a group whose members act only when the test says so.
type Pool struct {
	T *testing.T
	kv.Database
	*group.Group
	Members map[string]*group.Member
	next    uint32 // number of the last incarnation or nonce
}

// NewPool returns the group "default" without members, in a new database in memory. Its shards
// are named s0 and so on.
func NewPool(t *testing.T, shards int) *Pool {
	t.Helper()
	return NewPoolIn(t, memkv.New(memkv.Options{}), shards)
}

// NewPoolIn is NewPool in a database.
func NewPoolIn(t *testing.T, db kv.Database, shards int) *Pool {
	t.Helper()
	p := &Pool{
		T: t, Database: db, Group: group.New(subspace.New("fdbelection", "default")),
		Members: make(map[string]*group.Member),
	}
	p.Does(func(tr kv.Transaction) error { _, err := p.Initialize(tr, group.DefaultConfig()); return err })
	for at := 0; at < shards; at += group.MaxBatch {
		names := make([]string, min(group.MaxBatch, shards-at))
		for i := range names {
			names[i] = fmt.Sprintf("s%d", at+i)
		}
		p.Does(func(tr kv.Transaction) error { _, err := p.CreateShards(tr, names, time.Now()); return err })
	}
	return p
}

// Does runs a transaction. It fails the test if the transaction fails.
func (p *Pool) Does(fn func(tr kv.Transaction) error) {
	p.T.Helper()
	require.NoError(p.T, p.Transact(p.T.Context(), fn))
}

// ID returns a new UUID.
func (p *Pool) ID() uuid.UUID {
	p.next++
	id := uuid.UUID{}
	binary.BigEndian.PutUint32(id[:], p.next)
	return id
}

// Joins makes a member join, ready unless change says something else.
func (p *Pool) Joins(id string, change ...func(m *group.Member)) {
	p.T.Helper()
	m := &group.Member{Identity: election.Identity{ID: id, Incarnation: p.ID()}, JoinedAt: time.Now(), Weight: 1, Balance: group.BalanceVersion}
	for _, one := range change {
		one(m)
	}
	p.Members[id] = m
	p.Does(func(tr kv.Transaction) error { _, _, err := p.Join(tr, group.Joining{Member: *m}); return err })
}

// beat makes a member send a heartbeat. Its mirror is complete.
func (p *Pool) beat(id string) error {
	return p.Transact(p.T.Context(), func(tr kv.Transaction) error {
		version, err := tr.GetReadVersion().Get()
		if err == nil {
			_, _, err = p.Heartbeat(tr, p.Members[id].Identity, 1, version)
		}
		return err
	})
}

// Lives makes members send a heartbeat each heartbeat interval, until stop is called.
func (p *Pool) Lives(ids ...string) (stop func()) {
	var stopped atomic.Bool
	var again func()
	again = func() {
		if stopped.Load() {
			return
		}
		for _, id := range ids {
			_ = p.beat(id) // a damaged one sends none
		}
		time.AfterFunc(3*time.Second, again)
	}
	time.AfterFunc(time.Second, again)
	return func() { stopped.Store(true) }
}

// Claims makes a member claim shards.
func (p *Pool) Claims(id string, shards ...string) {
	p.T.Helper()
	for at := 0; at < len(shards); at += group.MaxBatch {
		var claims []group.Claim
		for _, name := range shards[at:min(at+group.MaxBatch, len(shards))] {
			claims = append(claims, group.Claim{Shard: name, Nonce: p.ID()})
		}
		p.Does(func(tr kv.Transaction) error {
			_, err := p.Claim(tr, p.Members[id].Identity, claims, time.Now())
			return err
		})
	}
}

// Gives makes a member hand a shard over, or leave it vacant if to is empty.
func (p *Pool) Gives(from, shard, to string, reason group.Reason) {
	p.T.Helper()
	nonce := p.ID()
	p.Does(func(tr kv.Transaction) error {
		s, err := p.ReadShard(tr, shard)
		if err != nil {
			return err
		}
		r := group.Release{Token: s.Token(), Nonce: nonce, Reason: reason}
		if to != "" {
			r.Target = p.Members[to].Identity
		}
		_, err = p.Release(tr, p.Members[from].Identity, []group.Release{r}, time.Now())
		return err
	})
}

// Spoils damages a record.
func (p *Pool) Spoils(path ...string) {
	p.T.Helper()
	p.Does(func(tr kv.Transaction) error {
		tr.Set(p.Subspace().Sub(path...).Bytes(), []byte("rubbish"))
		return nil
	})
}
