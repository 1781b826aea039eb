package machine

import (
	"github.com/fdbelection/fdbelection/internal/belief"
)

// Deadlines are the instants up to which one attempt to write a lease carries a tenure.
type Deadlines = belief.Deadlines
