package output

import "io"

// firstError is for callers that look at errors at the end only: after one it writes
// nothing more.
type FirstError struct {
	io.Writer
	Err error
}

func (f *FirstError) Write(p []byte) (n int, err error) {
	if f.Err == nil {
		_, f.Err = f.Writer.Write(p)
	}
	return len(p), nil
}
