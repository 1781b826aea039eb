package doctor

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/cmd/internal/clitest"
	"github.com/fdbelection/fdbelection/cmd/internal/exit"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/filekv"
)

// However late doctor finds that the store file is damaged, it ends with 1: exit code 4
// says that a later attempt may succeed.
func TestDoctorOfAStoreFileDamagedMeanwhile(t *testing.T) {
	for _, sound := range []int{0, 1, doctorReads, doctorReads + doctorEmpty, doctorReads + doctorEmpty + 1, doctorReads + doctorEmpty + 10} {
		synctest.Test(t, func(t *testing.T) {
			world := clitest.NewCompany(t)
			_, leave := world.Enter("ash", 0)
			world.Pass(3 * time.Second)
			_, code := examined(t, &damagedAfter{world.DB, sound})
			leave()
			require.Equal(t, exit.CodeFailure, code, "after %d transactions", sound)
		})
	}
}

// damagedAfter is a store file that is sound for a number of transactions.
type damagedAfter struct {
	kv.Database
	sound int
}

func (d *damagedAfter) next() error {
	if d.sound--; d.sound >= 0 {
		return nil
	}
	return kv.Error{Code: kv.CodeIOError, Err: &filekv.StoreError{Path: "x.db", Problem: "its pages make no sense", Err: filekv.ErrDamaged}}
}

func (d *damagedAfter) Transact(ctx context.Context, fn func(tr kv.Transaction) error) error {
	if err := d.next(); err != nil {
		return err
	}
	return d.Database.Transact(ctx, fn)
}

func (d *damagedAfter) ReadTransact(ctx context.Context, fn func(tr kv.ReadTransaction) error) error {
	if err := d.next(); err != nil {
		return err
	}
	return d.Database.ReadTransact(ctx, fn)
}
