package groups

import (
	"context"
	"errors"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/internal/groupview"
)

// Load reads all records of the group of a session, a part of them in each transaction. A
// record that cannot be read does not hide the others: see Unreadable.
func Load(ctx context.Context, s *session.Session) (*groupview.State, error) {
	_, err := session.ReadTransact(ctx, s, s.Group.ReadConfig)
	if err != nil && !errors.Is(err, fdbelection.ErrInvalidState) {
		return nil, err
	}
	st := groupview.New(s.Group)
	if err := Update(ctx, s, st); err != nil {
		return nil, err
	}
	return st, nil
}

// Update reads until a State is up to date.
func Update(ctx context.Context, s *session.Session, st *groupview.State) error {
	for {
		r, err := session.ReadTransact(ctx, s, st.Read)
		if err != nil {
			return err
		}
		if st.Add(&r, nil) {
			return nil
		}
	}
}
