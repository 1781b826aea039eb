package output

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf16"

	"github.com/rivo/uniseg"
	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/fdbelection/fdbelection/cmd/internal/terminal"
	"github.com/fdbelection/fdbelection/election"
)

// Format is the value of --output: a table for people, or JSON or YAML with the same names
// for scripts.
type Format string

// The values of --output.
const (
	FormatTable Format = "table"
	FormatJSON  Format = "json"
	FormatYAML  Format = "yaml"
)

// AddFlag adds --output to a command.
func (f *Format) AddFlag(cmd *cobra.Command) {
	*f = FormatTable
	cmd.Flags().VarP(f, "output", "o", "table, json or yaml")
	cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions( //nolint:errcheck // the flag exists
		[]string{string(FormatTable), string(FormatJSON), string(FormatYAML)}, cobra.ShellCompDirectiveNoFileComp))
}

func (f *Format) String() string { return string(*f) }

// Type is the name of the value in the help.
func (f *Format) Type() string { return "FORMAT" }

// Set accepts a format by its name.
func (f *Format) Set(name string) error {
	switch Format(name) {
	case FormatTable, FormatJSON, FormatYAML:
		*f = Format(name)
		return nil
	default:
		return fmt.Errorf("%s is unknown; use table, json or yaml", election.SafeText(name))
	}
}

// WriteJSON writes a value as JSON. It also escapes characters that control a terminal.
func WriteJSON(w io.Writer, value any) error {
	text, err := encodeJSON(value)
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, terminal.Escape(text, func(r rune) string {
		if r > 0xffff {
			high, low := utf16.EncodeRune(r)
			return fmt.Sprintf(`\u%04x\u%04x`, high, low)
		}
		return fmt.Sprintf(`\u%04x`, r)
	}))
	return err
}

func encodeJSON(value any) (string, error) {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	err := enc.Encode(value)
	return text.String(), err
}

// WriteYAML writes the same as WriteJSON, with the same names in the same order. A text
// with characters that control a terminal is quoted and escaped.
func WriteYAML(w io.Writer, value any) error {
	text, err := encodeJSON(value)
	if err != nil {
		return err
	}
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	node, err := yamlNode(dec)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if err := enc.Encode(node); err != nil {
		return err
	}
	_, err = io.WriteString(w, terminal.Escape(out.String(), func(r rune) string {
		switch {
		case r > 0xffff:
			return fmt.Sprintf(`\U%08x`, r)
		default:
			return fmt.Sprintf(`\u%04x`, r)
		}
	}))
	return err
}

// yamlNode reads the next value of a JSON text. Unlike a Go value, it keeps the order of
// the members.
func yamlNode(dec *json.Decoder) (*yaml.Node, error) {
	token, err := dec.Token()
	if err != nil {
		return nil, err
	}
	switch token := token.(type) {
	case json.Delim:
		node := &yaml.Node{Kind: yaml.SequenceNode}
		if token == '{' {
			node.Kind = yaml.MappingNode
		}
		for dec.More() {
			if node.Kind == yaml.MappingNode {
				name, err := yamlNode(dec)
				if err != nil {
					return nil, err
				}
				node.Content = append(node.Content, name)
			}
			inner, err := yamlNode(dec)
			if err != nil {
				return nil, err
			}
			node.Content = append(node.Content, inner)
		}
		_, err := dec.Token() // the closing delimiter
		return node, err
	case string:
		return yamlText(token)
	case json.Number:
		tag := "!!int"
		if strings.ContainsAny(token.String(), ".eE") {
			tag = "!!float"
		}
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: token.String()}, nil
	default: // a boolean or null
		node := &yaml.Node{}
		err := node.Encode(token)
		return node, err
	}
}

func yamlText(text string) (*yaml.Node, error) {
	if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text, Style: yaml.DoubleQuotedStyle}, nil
	}
	node := &yaml.Node{}
	err := node.Encode(text) // it quotes texts that older readers take for a boolean or a number
	return node, err
}

// Table is rows with aligned columns. Every cell is safe to print.
type Table struct {
	Header []string // nil: none
	Rows   [][]string
	// Style returns how to paint a row. It may be nil, and so may its result.
	Style func(terminal.Palette, int) func(string) string
}

// Write aligns the columns by the width that a terminal gives to a text: two columns for
// an ideograph, none for a combining mark. The last cell of a row may have any width.
func (t Table) Write(w io.Writer, p terminal.Palette) error {
	rows := t.Rows
	if t.Header != nil {
		rows = append([][]string{t.Header}, rows...)
	}
	var widths []int
	for _, row := range rows {
		for i, cell := range row[:max(len(row)-1, 0)] {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], uniseg.StringWidth(cell))
		}
	}
	var text strings.Builder
	for i, row := range rows {
		var line strings.Builder
		for j, cell := range row {
			line.WriteString(cell)
			if j < len(row)-1 {
				line.WriteString(strings.Repeat(" ", widths[j]+2-uniseg.StringWidth(cell)))
			}
		}
		text.WriteString(t.paint(p, i, strings.TrimRight(line.String(), " ")) + "\n")
	}
	_, err := io.WriteString(w, text.String())
	return err
}

func (t Table) paint(p terminal.Palette, line int, text string) string {
	if t.Header != nil {
		line--
	}
	switch {
	case line < 0:
		return p.Bold(text)
	case t.Style == nil:
		return text
	}
	if paint := t.Style(p, line); paint != nil {
		return paint(text)
	}
	return text
}
