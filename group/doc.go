// Package group is the protocol of a group: many shards that are led by one pool of
// processes, on FoundationDB or on any other store behind package kv. Every function works
// inside a transaction that the caller owns. Package group/member runs the protocol as a
// loop, and most programs use that instead. docs/group.md explains the design, and its rules
// are cited by their numbers.
//
// A member proves that it is alive with one heartbeat record, its session. A shard record
// names the session that leads the shard, and is written only when that changes. So renewing
// any number of shards costs one small write per member and heartbeat interval.
//
// # Functions by task
//
//   - A group: New, Initialize, ReadConfig, WriteConfig, CreateShards, RemoveShards.
//   - A member: Join, Heartbeat, UpdateMember, Evict, Leave.
//   - A leader: Claim, RequireLeadership, Release.
//   - An operator: Pin, Unpin, Drain, Undrain, RequestResign, CancelRequest, RaiseTerms.
//   - A reader: ScanPage, ReadLog, ReadBeats, ReadShard, Watch, and Trim.
//
// # Inside your transaction
//
// A function neither commits the transaction, nor retries, nor sets options. Its result is
// true once the transaction has committed. Several calls may share a transaction, and each
// sees the writes of the calls before it, except those in the log. Every function is safe to
// run again after an unknown result. Choose nonces outside of the closure, and the
// incarnation of Join inside of it.
//
// A batch of shards costs each shard only what concerns it: a shard that is unreadable, or
// that cannot be claimed, has an Err in its Outcome, and the others go on.
//
// # Conflicts
//
// A heartbeat reads and writes one record that only an eviction reads. So it conflicts with
// no claim, no hand-over and no fenced write. A fenced write reads one shard record, which is
// written only when its tenure changes. The log and the bell are written without reading them
// and conflict with nothing.
package group
