package main

import (
	"fmt"
	"slices"
	"strings"
)

// The bugs that can be planted, each with the rule that must find it. They show that the judge is
// not blind.
const (
	bugMargin = "margin" // the leader stops at the end of its lease, without a margin
	bugFence  = "fence"  // work writes without the fence
	bugGuard  = "guard"  // the work leaves its process group, out of the reach of the guard
	bugLost   = "lost"   // writes are reported as done although their result is not known to be so
	bugStale  = "stale"  // a process reads the leader record from a cache
	bugIdle   = "idle"   // no candidate claims
)

// bugs maps each bug to the rule that finds it.
var bugs = map[string]string{
	bugMargin: ruleBelief, bugGuard: ruleBelief, bugFence: ruleFence, bugLost: ruleLost, bugStale: ruleBack, bugIdle: ruleFree,
}

func checkBug(bug string) error {
	if bug == "" || bugs[bug] != "" {
		return nil
	}
	var names []string
	for name := range bugs {
		names = append(names, name)
	}
	slices.Sort(names)
	return fmt.Errorf("%q is not a bug: use one of %s", bug, strings.Join(names, ", "))
}
