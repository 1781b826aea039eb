package fdbelection

// Weakness is a setting that protects less than DefaultConfig does.
type Weakness struct {
	// Setting names the setting, such as "expiry by clock".
	Setting string
	// Risk says what may happen because of it.
	Risk string
}

// String returns the setting and, in brackets, the risk.
func (w Weakness) String() string { return w.Setting + " (" + w.Risk + ")" }

// Weaknesses returns the settings of c that protect less than DefaultConfig does. It
// returns nil if there are none.
func (c Config) Weaknesses() []Weakness {
	var all []Weakness
	if c.Expiry == ExpiryByClock {
		all = append(all, Weakness{
			"expiry by clock",
			"it relies on the clocks of other hosts: if they differ by more than the margin, two processes may lead at once",
		})
	}
	if c.AllowPreemption && c.PreemptionGrace == 0 {
		all = append(all, Weakness{
			"preemption without a grace",
			"a higher priority takes over from a leader before its work has stopped, and only the fence keeps them apart",
		})
	}
	return all
}
