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

// TestDoctorStoreFileDamagedDuringRun: doctor ends with 1 however late it finds that the
// store file is damaged. Exit code 4 would say that a later attempt may succeed.
func TestDoctorStoreFileDamagedDuringRun(t *testing.T) {
	for _, works := range []int{0, 1, maxReads, maxReads + maxEmpty, maxReads + maxEmpty + 1, maxReads + maxEmpty + 10} {
		synctest.Test(t, func(t *testing.T) {
			world := clitest.NewCompany(t)
			_, leave := world.Enter("ash", 0)
			world.Pass(3 * time.Second)
			_, code := examined(t, &damagedAfter{world.DB, works})
			leave()
			require.Equal(t, exit.CodeFailure, code, "after %d transactions", works)
		})
	}
}

// damagedAfter is a store file that works for a number of transactions and is damaged then.
type damagedAfter struct {
	kv.Database
	works int
}

func (d *damagedAfter) next() error {
	if d.works--; d.works >= 0 {
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
