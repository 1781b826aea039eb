package membership

import (
	"slices"

	"github.com/fdbelection/fdbelection/group"
)

// planClaim claims the free shards of the plan, or removes those that are to be removed.
func (m *Machine) planClaim() {
	p := &m.plan
	if len(p.remove) > 0 {
		names := p.remove[:min(len(p.remove), group.MaxBatch)]
		m.begin(&m.slots.take, Operation{Kind: Remove, Names: slices.Clone(names)})
		p.remove = p.remove[len(names):]
		return
	}
	if len(p.claim) == 0 {
		return
	}
	names := p.claim[:min(len(p.claim), group.MaxBatch)]
	p.claim = p.claim[len(names):]
	claims := make([]group.Claim, 0, len(names))
	for _, name := range names {
		if m.tenures.of[name] == nil {
			claims = append(claims, group.Claim{Shard: name, Nonce: m.settings.NewNonce()})
		}
	}
	if len(claims) > 0 {
		m.begin(&m.slots.take, Operation{Kind: Claim, Claims: claims})
	}
}

func (m *Machine) answeredClaim(op *Operation, a *Answer) {
	m.plan.dirty = true
	if a.Err != nil {
		m.failed(op, a.Err)
		return
	}
	for i := range a.Outcomes {
		m.seen(&a.Outcomes[i], a.Version)
	}
}
