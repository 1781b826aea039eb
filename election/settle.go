package election

import "github.com/fdbelection/fdbelection/kv"

// Settle makes the outcome of an unsettled commit known (kv.Unsettled). It reads and
// write-conflicts on the leader record. Once its transaction has committed, a late claim,
// renewal, resignation or transfer either is in the record that it returned or can never
// arrive. Before that, the record proves nothing. The commit makes a concurrent renewal
// retry once. Errors: ErrInvalidState.
func (e *LeaderElection) Settle(tr kv.Transaction) (LeaderRecord, error) {
	value, err := tr.Get(e.keys.leader).Get()
	if err != nil {
		return LeaderRecord{}, err
	}
	leader, err := decodeLeader(e.keys.leader, value)
	if err != nil {
		return LeaderRecord{}, err
	}
	return leader, tr.AddWriteConflictKey(e.keys.leader)
}
