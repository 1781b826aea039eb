package loop

import (
	"errors"
	"fmt"
	"time"
)

// Limits are durations of the options of a loop.
type Limits []Limit

// Limit is one duration. Zero stands for the default.
type Limit struct {
	Name    string
	Value   *time.Duration
	Default time.Duration
}

// SetDefaults replaces zeros.
func (l Limits) SetDefaults() {
	for _, d := range l {
		if *d.Value == 0 {
			*d.Value = d.Default
		}
	}
}

// Validate returns an error that lists the negative ones.
func (l Limits) Validate() error {
	var faults []error
	for _, d := range l {
		if *d.Value < 0 {
			faults = append(faults, fmt.Errorf("%s is %s: use a positive duration, or zero for the default", d.Name, *d.Value))
		}
	}
	return errors.Join(faults...)
}
