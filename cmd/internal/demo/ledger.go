package demo

import (
	"fmt"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

// ledger holds the payments that the leaders of a demo write. They are numbered
// without a gap, and each has the term in which it was written.
type ledger struct{ space subspace.Subspace }

func (l ledger) rows() subspace.Subspace { return l.space.Sub("rows") }

// payment is one row of a ledger.
type payment struct {
	number int64
	term   uint64
	by     string
}

// add writes the next payment.
func (l ledger) add(tr kv.Transaction, token election.Token) error {
	begin, end := l.rows().Range()
	last, err := tr.GetRange(begin, end, kv.RangeOptions{Limit: 1, Reverse: true}).Get()
	if err != nil {
		return err
	}
	next := int64(1)
	if len(last) > 0 {
		p, err := l.payment(last[0])
		if err != nil {
			return err
		}
		next = p.number + 1
	}
	key, err := l.rows().Pack(subspace.Tuple{subspace.Int(next)})
	if err != nil {
		return err
	}
	value, err := subspace.Tuple{subspace.Uint(token.Term), subspace.String(token.ID)}.Pack()
	if err != nil {
		return err
	}
	tr.Set(key, value)
	return nil
}

// payments reads all payments, in order.
func (l ledger) payments(tr kv.ReadTransaction) ([]payment, error) {
	begin, end := l.rows().Range()
	rows, err := tr.GetRange(begin, end, kv.RangeOptions{}).Get()
	if err != nil {
		return nil, err
	}
	payments := make([]payment, len(rows))
	for i, row := range rows {
		if payments[i], err = l.payment(row); err != nil {
			return nil, err
		}
	}
	return payments, nil
}

func (l ledger) payment(row kv.KeyValue) (payment, error) {
	key := l.rows().Reader(row.Key)
	value := subspace.NewReader(row.Value)
	p := payment{number: key.Int64(), term: value.Uint64(), by: value.Text()}
	for _, r := range []*subspace.Reader{&key, &value} {
		if err := r.Err(); err != nil {
			return p, fmt.Errorf("payment at key %q: %w", row.Key, err)
		}
	}
	return p, nil
}

// countOf returns the number of payments in a term.
func countOf(term uint64, payments []payment) int {
	count := 0
	for _, p := range payments {
		if p.term == term {
			count++
		}
	}
	return count
}
