package loop

import (
	"context"
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/fdbelection/fdbelection/election"
)

// PanicError is the panic of a callback.
type PanicError struct {
	// Value is the value of the panic.
	Value any
	// Stack is the stack of the panic as runtime/debug.Stack returns it.
	Stack []byte
}

// Error returns the value, without the stack.
func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// Unwrap returns the value if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// Guarded runs a callback and returns its panic as a *PanicError.
func Guarded(ctx context.Context, run func(context.Context)) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &PanicError{Value: p, Stack: debug.Stack()}
		}
	}()
	run(ctx)
	return nil
}

// LineError is an error whose text is one line and safe for a terminal.
type LineError struct{ Err error }

// Unwrap returns the error.
func (e LineError) Unwrap() error { return e.Err }

// Error returns the text of the error, with its lines joined.
func (e LineError) Error() string {
	var lines []string
	for line := range strings.Lines(e.Err.Error()) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return election.SafeText(strings.Join(lines, "; "))
}

// maxErrors is how many errors wait in Errors for a reader.
const maxErrors = 64

// Errors is a queue of errors that no call returns. Nothing waits for a reader: if 64 errors are
// waiting, the oldest is dropped. The channel is never closed.
type Errors chan error

// NewErrors returns an empty queue.
func NewErrors() Errors { return make(Errors, maxErrors) }

// Report adds an error.
func (e Errors) Report(err error) {
	for {
		select {
		case e <- err:
			return
		default:
		}
		select {
		case oldest := <-e:
			_ = oldest // dropped: there is no reader
		default:
		}
	}
}
