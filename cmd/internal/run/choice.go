package run

import (
	"errors"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// choice is a flag whose value is one of a few words.
type choice struct {
	value *string
	words []string
}

var _ pflag.Value = choice{}

// String returns the chosen word. It returns "" for the zero value, for which pflag also
// calls it.
func (c choice) String() string {
	if c.value == nil {
		return ""
	}
	return *c.value
}

// Type returns the placeholder of the value in the help.
func (choice) Type() string { return "WORD" }

// Set sets the value. It returns an error if text is not one of the words.
func (c choice) Set(text string) error {
	if !slices.Contains(c.words, text) {
		last := len(c.words) - 1
		return errors.New("use " + strings.Join(c.words[:last], ", ") + " or " + c.words[last])
	}
	*c.value = text
	return nil
}
