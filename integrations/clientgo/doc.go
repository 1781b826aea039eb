// Package clientgo lets programs that use Kubernetes client-go elect their leader on this library.
// A Lock is the resourcelock.Interface that client-go's loop (tools/leaderelection) and the
// managers of controller-runtime take, so their code does not change:
//
//	lock, err := clientgo.New(db, election.New(subspace.New("billing")), identity, clientgo.Options{})
//	manager.Options{LeaderElection: true, LeaderElectionResourceLockInterface: lock, ...}
//
// It is a module of its own, so that the library does not depend on Kubernetes.
//
// # What is as in every election here
//
// The Lock calls the functions of package election, so it stores the same records. Electors and
// client-go's loops can take part in one election. Each change of the holder begins a term in the
// same transaction, and each renewal raises the ballot. The history, fdbelect status and the page
// show the election. A request to resign or to hand over makes client-go stop: the Lock does not
// renew any more. With ReleaseOnCancel leadership is then vacant at once, and any candidate may
// claim it.
//
// A tenure has a fencing token. Read it when OnStartedLeading begins, and pass it to
// RequireLeadership in every transaction of the work. client-go itself has no such token.
//
// # What client-go decides
//
// The loop of client-go decides when to claim and when to stop. It counts a lease from when it saw
// the record change, on its own clock, as expiry by observation does here. A claim needs both: the
// Lock has to have seen the same ballot for a whole lease, too. In an election by clock, the stored
// end of the lease counts as well.
//
// A leader of client-go stops RetryPeriod and RenewDeadline after its last renewal. Choose them so
// that their sum is at most 80 % of LeaseDuration. The defaults are 2 s, 10 s and 15 s. client-go
// counts from the answer to a renewal, and the others count from its commit, which may be earlier.
// So an Update whose answer takes longer than a tenth of the lease is reported as failed, and
// client-go renews again.
//
// A leader whose context ended may still work, because client-go does not wait for its work, and a
// process can be suspended. Only the fence covers this.
//
// # The record
//
// client-go's LeaderElectionRecord is the leader record in another form:
//
//   - HolderIdentity is the id of the holder. An earlier start of this process under the same
//     identity counts as another holder, and has "#" and the start of its incarnation added. In
//     client-go a process that restarts under its old identity goes on leading.
//   - LeaseDurationSeconds is the lease that the holder has, rounded up.
//   - AcquireTime and RenewTime are the times in the leader record, by the clock of the holder.
//   - LeaderTransitions is the term less one. The value that client-go passes is ignored.
//   - Strategy and PreferredHolder are empty. Coordinated elections are not supported.
//
// Create makes the election with a lease of client-go's LeaseDuration if it does not exist. If the
// lease of an election that exists is shorter than LeaseDuration, Create and Update fail.
//
// # One term for each OnStartedLeading
//
// client-go's loop does not notice if its tenure ends and it claims again within RenewDeadline,
// although another process may have led in between. The Lock therefore claims nothing for two
// leases after the last renewal of a tenure that it has not released. By then the loop has ended.
// A new process, or a loop that has released its lease, can claim at once.
package clientgo
