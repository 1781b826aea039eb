package cli

import "io"

// firstError is for callers that look at errors at the end only: after one it writes
// nothing more.
type firstError struct {
	io.Writer
	err error
}

func (f *firstError) Write(p []byte) (n int, err error) {
	if f.err == nil {
		_, f.err = f.Writer.Write(p)
	}
	return len(p), nil
}
