package kvtest

import (
	"fmt"
	"strings"
)

// Table lists the suite as a Markdown document: every case, what it shows, and
// which of the engines show it. A case that is not applicable names the
// capabilities that are missing; the reasons stand at the end.
func Table(engines ...Engine) string {
	var out strings.Builder
	group := ""
	for _, c := range Cases() {
		before, rest, _ := strings.Cut(c.Name, "/")
		if before != group {
			group = before
			fmt.Fprintf(&out, "\n## %s\n\n| case | an engine passes when |", group)
			for _, e := range engines {
				fmt.Fprintf(&out, " %s |", e.Name)
			}
			out.WriteString("\n|---|---|" + strings.Repeat("---|", len(engines)) + "\n")
		}
		fmt.Fprintf(&out, "| %s | %s |", rest, c.Shows)
		for _, e := range engines {
			fmt.Fprintf(&out, " %s |", c.verdict(e))
		}
		out.WriteString("\n")
	}
	out.WriteString("\n## What an engine cannot show\n\n| engine | capability | means | why not |\n|---|---|---|---|\n")
	for _, e := range engines {
		for _, known := range capabilities {
			if reason, lacks := e.Lacks[known.name]; lacks {
				fmt.Fprintf(&out, "| %s | %s | %s | %s |\n", e.Name, known.name, known.means, reason)
			}
		}
	}
	return out.String()
}

// verdict is a cell of the table.
func (c Case) verdict(e Engine) string {
	var missing []string
	for _, need := range c.Needs {
		if _, lacks := e.Lacks[need]; lacks {
			missing = append(missing, string(need))
		}
	}
	if missing == nil {
		return "yes"
	}
	return "not applicable: " + strings.Join(missing, ", ")
}
