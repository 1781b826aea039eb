package session

import "fmt"

// explainShared adds to ErrSharedKeys what can be done about it.
func ExplainSharedKeys(err error) error {
	return fmt.Errorf("%w; nothing was changed: choose another --election or --root, so that neither path lies below the candidates of the other", err)
}
