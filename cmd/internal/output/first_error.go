package output

import "io"

// FirstError keeps the first error of a writer, for callers that check it at the end.
// After an error it writes nothing more.
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
