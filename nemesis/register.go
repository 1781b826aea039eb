package main

import (
	"fmt"
	"time"

	"github.com/anishathalye/porcupine"
)

// tenure is the state of leadership as a register: the newest term and its token. The token is
// empty if it is not known.
type tenure struct {
	term  uint64
	token string
}

// claim is the input of an operation that begins a tenure. Every other operation is a read.
type claim struct{}

// leadership is the model for porcupine. A claim begins the next term. A read returns the newest
// term, and its token if leadership is held.
var leadership = porcupine.Model{
	Init: func() any { return tenure{} },
	Step: func(state, input, output any) (bool, any) {
		now, _ := state.(tenure)
		then, _ := output.(tenure)
		if _, is := input.(claim); is {
			return then.term == now.term+1, then
		}
		return then.term == now.term && (then.token == "" || then.token == now.token), now
	},
	Equal: func(a, b any) bool { return a == b },
}

// forever is the return of a claim that no process has written down.
const forever = 1 << 62

// registerLimit bounds the search for an order.
const registerLimit = time.Minute

// operations returns the claims and reads of all processes. Of several equal reads of one process
// in a row it has the first and the last.
func (e *evidence) operations() []porcupine.Operation {
	var all []porcupine.Operation
	newest := uint64(0)
	tokens := make(map[uint64]string)
	known := make(map[uint64]bool)
	add := func(id int, entry *entry, input any) {
		output := tenure{entry.Term, entry.Token}
		all = append(all, porcupine.Operation{ClientId: id, Input: input, Output: output, Call: int64(entry.Call), Return: int64(entry.At)})
	}
	for id := range e.Accounts {
		var row []*entry
		flush := func() {
			if len(row) > 0 {
				add(id, row[0], nil)
			}
			if len(row) > 1 {
				add(id, row[len(row)-1], nil)
			}
			row = row[:0]
		}
		for i := range e.Accounts[id].Entries {
			entry := &e.Accounts[id].Entries[i]
			newest = max(newest, entry.Term)
			switch {
			case entry.Kind == claimed:
				known[entry.Term] = true
				add(id, entry, claim{})
			case entry.Kind == read && entry.Ballot > 0:
				if len(row) > 0 && (row[0].Term != entry.Term || row[0].Token != entry.Token) {
					flush()
				}
				row = append(row, entry)
				if entry.Token != "" {
					tokens[entry.Term] = entry.Token
				}
			}
		}
		flush()
	}
	for term := uint64(1); term <= newest; term++ {
		if !known[term] { // its leader died before it could write that down
			all = append(all, porcupine.Operation{ClientId: len(e.Accounts), Input: claim{}, Output: tenure{term, tokens[term]}, Return: forever})
		}
	}
	return all
}

// checkRegister lets porcupine search for one order of all claims and reads that explains every
// answer.
func checkRegister(e *evidence) []violation {
	all := e.operations()
	switch porcupine.CheckOperationsTimeout(leadership, all, registerLimit) {
	case porcupine.Ok:
		return nil
	case porcupine.Unknown:
		return []violation{{ruleRegister, 0, fmt.Sprintf("not judged: the search among %d operations took longer than %s", len(all), registerLimit)}}
	default:
		return []violation{{ruleRegister, 0, fmt.Sprintf("among %d operations", len(all))}}
	}
}
