package kvtest_test

import (
	"fmt"
	"strings"

	"github.com/fdbelection/fdbelection/kv/kvtest"
)

// groups describes the groups of cases.
var groups = map[string]string{
	"Conflicts":               "A commit checks its read conflict ranges against the writes in (read version, commit version]. Writes alone never conflict. A concurrent write is one that another transaction commits between the read and the commit of a transaction.",
	"ExplicitConflicts":       "Conflict ranges can be added explicitly.",
	"ReadYourWrites":          "A transaction reads its own writes, and such a read adds no read conflict.",
	"SnapshotReads":           "A snapshot read adds no read conflict and sees own writes.",
	"TooOldAtCommit":          "A commit fails with 1007 if its read version is no longer kept, after 5 s. A transaction that only writes is not affected.",
	"TooOldAtRead":            "A read fails with 1007 if the read version is no longer kept.",
	"Versions":                "Versions advance with time and with every commit, and jump with a recovery.",
	"ReadVersion":             "A transaction has one read version. It covers every commit that was acknowledged before it was requested (strict serialisability).",
	"Versionstamps":           "A commit can write its versionstamp, 10 bytes of version and batch, into keys and values.",
	"BadVersionstampTemplate": "A template without room for the stamp at its offset fails with 2000.",
	"AccessedUnreadable":      "A transaction cannot read what its versionstamp will determine: 1036.",
	"ReadOnlyCommit":          "A read-only commit has version -1 and no versionstamp: 2021.",
	"UsedDuringCommit":        "A transaction cannot be used after its commit has begun: 2017.",
	"CommittedVersion":        "The committed version is the version of the writes.",
	"UnknownResult":           "1021 means that the transaction either committed or never will. Other errors of a commit are certain.",
	"Unsettled":               "After 1031, 1039 and the end of a wait, the transaction may still commit.",
	"RetryableTable":          "OnError retries some errors.",
	"OnErrorBackoff":          "OnError waits a random part of a bound that begins at 10 ms and doubles up to 1 s. After 1007 and 1009 it waits 10 ms.",
	"RetryLimit":              "After the retry limit, OnError returns the error and the transaction fails with 1025.",
	"Timeout":                 "A time limit counts from the transaction's creation, across retries: 1031.",
	"Limits":                  "Keys are limited to 10,000 bytes (2102), values to 100,000 (2103) and transactions to 10,000,000 (2101).",
	"Watch":                   "A watch fires after a change of its key.",
	"WatchFailure":            "A watch fails with 1025, 1029, 1032 or the error of the commit.",
	"Context":                 "The end of the context ends every wait, and the error shows what may have been committed.",
	"Transact":                "Transact runs a function and retries it.",
	"ReadTransact":            "ReadTransact does the same for reads.",
	"Reset":                   "Reset returns a transaction to its initial state.",
	"Cancel":                  "Cancel ends a transaction: 1025.",
	"Keys":                    "Keys and values are byte strings.",
	"Ranges":                  "A range read returns the rows between its bounds, and ClearRange clears them.",
	"Futures":                 "The result of a future does not change.",
	"Isolation":               "Concurrent transactions are serialisable.",
	"Reopening":               "The data outlives the handle.",
	"Sharing":                 "Several handles use the same data.",
}

// meanings describes the capabilities.
var meanings = map[kvtest.Capability]string{
	kvtest.Clock:        "time can be advanced",
	kvtest.Backoffs:     "the waits of OnError are recorded",
	kvtest.Recovery:     "a recovery can be simulated",
	kvtest.Faults:       "the next read or commit can be made to fail, applied or not",
	kvtest.Holds:        "a read or a commit can be suspended",
	kvtest.Reopening:    "the database can be closed and opened again",
	kvtest.Sharing:      "the same data can be opened twice",
	kvtest.History:      "a transaction can read at its version while others commit",
	kvtest.ExactWatches: "a watch fires only after a change",
	kvtest.WatchLimit:   "the limit of watches applies to one case alone",
	kvtest.Outcomes:     "after a failed commit, the engine knows whether it had begun",
	kvtest.KeySpace:     "the case owns the whole key space",
}

// table returns the suite as Markdown: every case, what it shows and the engines that run
// it, and then the capabilities that each engine lacks.
func table(engines ...kvtest.Engine) string {
	var out strings.Builder
	group := ""
	for _, c := range kvtest.Cases() {
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
			fmt.Fprintf(&out, " %s |", applicable(c, e))
		}
		out.WriteString("\n")
	}
	out.WriteString("\n## What the engines lack\n\n| engine | capability | meaning | reason |\n|---|---|---|---|\n")
	for _, e := range engines {
		for _, c := range kvtest.Capabilities {
			if reason, lacks := e.Lacks[c]; lacks {
				fmt.Fprintf(&out, "| %s | %s | %s | %s |\n", e.Name, c, meanings[c], reason)
			}
		}
	}
	return out.String()
}

// applicable returns "yes", or the capabilities that an engine lacks for a case.
func applicable(c kvtest.Case, e kvtest.Engine) string {
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
