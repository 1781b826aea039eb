// Package member is the loop that a process runs to lead shards of a group. It joins, sends
// heartbeats, claims and hands over shards, and stops in time. The protocol is in package group,
// and docs/group.md explains it.
//
//	m, err := member.New(db, group.New(subspace.New("indexer")), member.Options{Tags: map[string]string{"addr": addr}})
//	if err != nil {
//		return err
//	}
//	return m.Run(ctx, func(ctx context.Context, shard *member.Shard) error {
//		for ctx.Err() == nil { // ends before another process leads the shard
//			err := shard.Transact(ctx, func(tr kv.Transaction) error {
//				return indexOneDocument(tr, shard.Name()) // commits only in the newest term of the shard
//			})
//			if err != nil {
//				return err // the shard is released, and this process does not claim it for a while
//			}
//		}
//		return nil // the shard is handed over now
//	})
//
// There are three ways to use a member:
//
//   - Run is for work that has a goroutine for each shard.
//   - Start is for work that has none: callbacks tell which shards this process leads.
//   - Observe is for routers. Leader tells which process leads a shard, with its tags.
//
// Leader, Shard and Shards do no I/O.
//
// # Why it is safe
//
// It is safe as an elector is: the database is authoritative, a fenced transaction commits only in
// the newest tenure of its shard, and everything else decides who may try to lead and when to stop.
// One lease covers all shards of a process. If it cannot be renewed in time, the work on all of them
// is told to stop a fifth of the lease before the end of the lease.
//
// # Handing over
//
// A shard may be given up although the process could go on: another member should have it, an
// operator drains this one, the program stops, or its work returned. The context of the work ends
// first. The shard is handed over when the work has returned or the drain limit has passed. So let
// work return soon after its context has ended.
//
// # What fails how
//
//   - The store does not answer: operations are retried with back-off for as long as the program
//     wants. All work stops in time. After an outage that all members survive, each goes on with the
//     shards that it had.
//   - A process dies: another member evicts it when its lease has passed, and the others claim its
//     shards at once.
//   - This process is evicted, or the database was restored: all work stops, and it joins again.
//   - Work fails: the shard is released, and this process holds off, for one heartbeat interval after
//     the first failure and for twice as long after each further one.
//   - Options.Ready fails: the process hands its shards over and stays in the group.
//   - A record cannot be read: it is reported, and costs only what it describes.
//   - The group does not exist: the member waits until it is created.
package member
