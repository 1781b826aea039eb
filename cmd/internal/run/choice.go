package run

import (
	"errors"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// choice is a flag that takes one of a few words.
type choice struct {
	value *string
	words []string
}

var _ pflag.Value = choice{}

// String returns the chosen word. pflag also asks the zero value, which has none.
func (c choice) String() string {
	if c.value == nil {
		return ""
	}
	return *c.value
}

// Type returns the placeholder of the value in the help.
func (choice) Type() string { return "WORD" }

// Set accepts one of the words.
func (c choice) Set(text string) error {
	if !slices.Contains(c.words, text) {
		last := len(c.words) - 1
		return errors.New("use " + strings.Join(c.words[:last], ", ") + " or " + c.words[last])
	}
	*c.value = text
	return nil
}
