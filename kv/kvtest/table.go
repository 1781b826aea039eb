package kvtest

import (
	"fmt"
	"strings"
)

// groups says in a few words what the cases of a group are about. The order is
// that of Cases.
var groups = map[string]string{
	"Conflicts":               "A commit is checked: its read conflict ranges against the writes in (read version, commit version]. Write sets alone never conflict.",
	"ExplicitConflicts":       "Conflict ranges can be added by hand.",
	"ReadYourWrites":          "A transaction reads its own writes, and a read that they answer adds no read conflict.",
	"SnapshotReads":           "A snapshot read adds no read conflict, and sees own writes.",
	"TooOldAtCommit":          "A commit whose read version is no longer kept, 5 s later, fails with 1007; a blind write does not.",
	"TooOldAtRead":            "So does a read.",
	"Versions":                "Versions advance with time and with every commit, and jump with a recovery.",
	"ReadVersion":             "A read version sees every commit that was acknowledged before it was asked for (strict serialisability), and a transaction has one.",
	"Versionstamps":           "Ten bytes, version and batch, that a commit puts into keys and values.",
	"BadVersionstampTemplate": "A template whose offset leaves no room for the stamp: 2000.",
	"AccessedUnreadable":      "What a versionstamp will decide cannot be read in the same transaction: 1036.",
	"ReadOnlyCommit":          "A commit that wrote nothing has the version -1 and no stamp: 2021.",
	"UsedDuringCommit":        "A transaction cannot be used once its commit has begun: 2017.",
	"CommittedVersion":        "The version of a commit tells where its writes are.",
	"UnknownResult":           "1021: it committed, or it never will. Other refusals are certain.",
	"Unsettled":               "1031, 1039 and the end of a wait: it may still commit.",
	"RetryableTable":          "Which errors OnError retries.",
	"OnErrorBackoff":          "How long it waits: a random part of 10 ms, doubling up to 1 s; a flat 10 ms after 1007 and 1009.",
	"RetryLimit":              "Past the limit the error comes back, and the transaction fails with 1025.",
	"Timeout":                 "A time limit runs from the transaction's creation, across retries: 1031.",
	"Limits":                  "Keys of 10,000 bytes (2102), values of 100,000 (2103), transactions of 10,000,000 (2101).",
	"Watch":                   "A watch fires after a change of its key.",
	"WatchFailure":            "How a watch ends without firing: 1025, 1029, 1032 and the error of the commit.",
	"Context":                 "The end of the context ends every wait, and the error tells what may have been committed.",
	"Transact":                "Transact runs a function by the retry rules.",
	"ReadTransact":            "ReadTransact does so for reads.",
	"Reset":                   "Reset makes a transaction new.",
	"Cancel":                  "Cancel ends a transaction: 1025.",
	"Keys":                    "Keys and values are bytes.",
	"Ranges":                  "Which rows a range answers, and which a clear of a range removes.",
	"Futures":                 "An answer stays the same.",
	"Isolation":               "Transactions that run at once behave as if in turn.",
	"Random":                  "All of it together, against a model.",
	"Reopening":               "The data outlives the handle.",
	"Sharing":                 "Several handles serve the same data.",
}

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
			fmt.Fprintf(&out, "\n## %s\n\n%s\n\n| case | shows |", group, groups[group])
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
