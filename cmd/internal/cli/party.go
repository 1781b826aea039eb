package cli

import "github.com/fdbelection/fdbelection/election"

// party is one start of one candidate, wherever it is shown.
type party struct {
	ID          string `json:"id"`
	Incarnation string `json:"incarnation"`
}

func partyOf(i election.Identity) *party {
	if i.ID == "" {
		return nil
	}
	return &party{ID: i.ID, Incarnation: i.Incarnation.String()}
}
