// Package bridge lets a new fleet, which elects its leader here, and an old fleet, which elects its
// leader with client-go, etcd or Redis, exclude each other during a rollout.
//
// A Gate is Elector.Run with the lock of the old fleet around the work. The packages clientgo, etcd and
// redis have the locks. It is a module of its own, so that the library does not depend on their
// clients.
//
// # What excludes whom
//
// Processes with a Gate exclude each other by the election and by the old lock. A process with a Gate and
// an old process exclude each other only by the old lock, as well as that lock can. A process without
// a Gate and an old process do not exclude each other. The fence of a Leadership refuses writes
// of earlier terms. It knows nothing of the old fleet.
//
// # Two locks
//
// A tenure takes the old lock after leadership, and releases it before leadership. A process
// that waits for leadership never holds the old lock, so two processes cannot block each other. If work goes on after
// its lease, its process still renews the old lock. So not even a successor in the new fleet works
// before it has returned.
package bridge
