package output

import "github.com/fdbelection/fdbelection/election"

// party is one start of one candidate, wherever it is shown.
type Identity struct {
	ID          string `json:"id"`
	Incarnation string `json:"incarnation"`
}

func IdentityOf(i election.Identity) *Identity {
	if i.ID == "" {
		return nil
	}
	return &Identity{ID: i.ID, Incarnation: i.Incarnation.String()}
}
