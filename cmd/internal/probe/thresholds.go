package probe

import "fmt"

// Thresholds are the numbers of results in a row that change the verdict. Both are at
// least one.
type Thresholds struct {
	Success int // successes that make a process ready
	Failure int // failures that make a ready process not ready
}

// verdict says whether a process is ready. The zero value is that of a process that was
// never checked: it is not ready.
type verdict struct {
	ready bool
	last  error // the last result
	inRow int   // how many results in a row were as the last one: success or failure
}

// next returns the verdict after one more result.
func (v verdict) next(result error, t Thresholds) verdict {
	if (v.last == nil) != (result == nil) {
		v.inRow = 0
	}
	v.last = result
	v.inRow++
	switch {
	case result == nil && v.inRow >= t.Success:
		v.ready = true
	case result != nil && v.inRow >= t.Failure:
		v.ready = false
	}
	return v
}

// unready returns nil for a process that is ready, and otherwise why it is not.
func (v verdict) unready(t Thresholds) error {
	switch {
	case v.ready:
		return nil
	case v.last == nil:
		return fmt.Errorf("%d of %d successful checks in a row", v.inRow, t.Success)
	default:
		return v.last
	}
}
