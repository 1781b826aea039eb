package output

import (
	"encoding/json"
	"math"
	"time"
)

// Duration is text such as "1m30s" in tables. In JSON it is a number of seconds, under a
// name that ends in "_seconds".
type Duration time.Duration

// String rounds to microseconds, because a third of a lease is seldom a round number.
func (d Duration) String() string { return time.Duration(d).Round(time.Microsecond).String() }

// MarshalJSON writes a number of seconds.
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(d).Seconds()) }

// UnmarshalJSON reads a number of seconds.
func (d *Duration) UnmarshalJSON(text []byte) error {
	var seconds float64
	err := json.Unmarshal(text, &seconds)
	*d = Duration(math.Round(seconds * float64(time.Second)))
	return err
}
