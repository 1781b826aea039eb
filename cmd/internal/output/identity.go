package output

import "github.com/fdbelection/fdbelection/election"

// Identity is one incarnation of a candidate.
type Identity struct {
	ID          string `json:"id"`
	Incarnation string `json:"incarnation"`
}

// IdentityOf returns nil if there is no candidate.
func IdentityOf(i election.Identity) *Identity {
	if i.ID == "" {
		return nil
	}
	return &Identity{ID: i.ID, Incarnation: i.Incarnation.String()}
}
