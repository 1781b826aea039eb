package simulation

import "encoding/json"

// SavedRun is a failed run in a file. Load it with encoding/json and pass its Options to
// Run.
type SavedRun struct {
	Options Options `json:"options"`
	// Found is the violation at that time.
	Found string `json:"found"`
	// Fixed says what was wrong. It is empty as long as the run fails.
	Fixed string `json:"mended,omitempty"`
}

// Encode returns the run as JSON for a file.
func (k *SavedRun) Encode() ([]byte, error) {
	b, err := json.MarshalIndent(k, "", "\t")
	return append(b, '\n'), err
}
