package run

import (
	"errors"
	"fmt"
	"log/slog"
	"os/exec"
	"strings"
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/cmd/internal/exit"
	"github.com/fdbelection/fdbelection/cmd/internal/records"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/cmd/internal/supervise"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
)

// options checks the flags of a candidate and returns the options of its elector.
func (f *runFlags) options() (elector.Options, error) {
	var none elector.Options
	if err := f.requireID("candidate"); err != nil {
		return none, err
	}
	tags, err := parseTags(f.Named("tag"), f.tags)
	if err != nil {
		return none, err
	}
	me := election.Registration{Identity: election.Identity{ID: f.id}, Metadata: tags}
	if err := me.Validate(); err != nil {
		return none, exit.Usage(f.ofCandidate(err))
	}
	config := records.DefaultConfig(f.lease)
	if f.graceGiven {
		config.PreemptionGrace = f.grace
	}
	if err := config.Validate(); err != nil {
		return none, exit.Usage(session.FaultsByFlag(err, records.Settings, f.Flags))
	}
	headStart := f.headStart
	switch {
	case headStart < 0:
		return none, exit.Usage(fmt.Errorf("%s is %s; it must not be negative", f.Named("head-start"), headStart))
	case headStart == 0 && f.headStartGiven:
		headStart = -1
	}
	if f.restart != supervise.RestartNever && len(f.command) == 0 {
		return none, exit.Usage(fmt.Errorf("%s %s needs a command, after --", f.Named("restart"), f.restart))
	}
	if err := f.checkSuccessor(); err != nil {
		return none, err
	}
	if err := f.checkGiveUp(); err != nil {
		return none, exit.Usage(err)
	}
	if err := f.checkCommand(); err != nil {
		return none, err
	}
	return elector.Options{
		NodeID: f.id, Priority: f.priority, Metadata: tags, Config: config,
		DrainLimit: f.preStop, LeaveLimit: f.timeout, HeadStart: headStart,
	}, nil
}

// defaultGiveUp covers every command that never runs for longer than a minute. If it fails
// at once, the fifth failure comes three seconds after the first one.
var defaultGiveUp = supervise.GiveUp{After: 5, Window: 5 * time.Minute}

// checkGiveUp checks the flags that end restarts.
func (f *runFlags) checkGiveUp() error {
	switch {
	case f.giveUp.After < 0:
		return fmt.Errorf("%s is %d; use 0 to start the command again for ever", f.Named("give-up-after"), f.giveUp.After)
	case f.giveUp.Window <= 0:
		return fmt.Errorf("%s is %s; it must be above zero", f.Named("give-up-window"), f.giveUp.Window)
	}
	for _, name := range []string{"give-up-after", "give-up-window"} {
		if f.restart == supervise.RestartNever && f.onCommandLine(name) {
			return fmt.Errorf("--%s needs --restart on-failure or always", name)
		}
	}
	return nil
}

// onCommandLine reports whether a flag is on the command line. A variable that has no effect
// has no fault: a container may set it for several programs.
func (f *common) onCommandLine(name string) bool {
	return f.Flags.Changed(name) && !session.SetByVariable(f.Flags, name)
}

// checkCommand checks the flags that candidates and subscribers have in common, and that
// the command exists.
func (f *runFlags) checkCommand() error {
	if err := f.checkLimits(); err != nil {
		return err
	}
	if err := f.checkMetrics(); err != nil {
		return err
	}
	return f.lookUp()
}

// checkLimits checks the limits of the end.
func (f *common) checkLimits() error {
	for _, d := range []struct {
		flag  string
		value time.Duration
	}{{"pre-stop", f.preStop}, {"timeout", f.timeout}} {
		if d.value <= 0 {
			return exit.Usage(fmt.Errorf("%s is %s; it must be above zero", f.Named(d.flag), d.value))
		}
	}
	return nil
}

// lookUp checks that the command exists, if there is one.
func (f *common) lookUp() error {
	if len(f.command) > 0 {
		if _, err := exec.LookPath(f.command[0]); err != nil {
			return exit.Usage(fmt.Errorf("the command cannot be run: %w", err))
		}
	}
	return nil
}

// checkObserver refuses flags that only a candidate has. Their variables are ignored,
// because a container may set them for several programs.
func (f *runFlags) checkObserver() error {
	own := []string{
		"id", "priority", "tag", "lease", "grace", "head-start", "restart", "give-up-after", "give-up-window", "ready-command", "ready-http",
		"once", "hand-over-to",
	}
	for _, name := range append(own, readySettings...) {
		if f.onCommandLine(name) {
			return exit.Usage(fmt.Errorf("--%s is for a candidate, and %s does not register one; leave one of them out", name, f.Named("observe")))
		}
	}
	return nil
}

// ofCandidate replaces the name of the invalid field with that of its flag or variable.
func (f *common) ofCandidate(err error) error {
	invalid, ok := errors.AsType[*fdbelection.InvalidCandidateError](err)
	if !ok {
		return err
	}
	renamed := *invalid
	switch invalid.Field {
	case "id":
		renamed.Field = f.Named("id")
	case "metadata":
		renamed.Field = f.Named("tag")
	case "weight", "capacity": // of a member
		renamed.Field = f.Named(invalid.Field)
	}
	return &renamed
}

func parseTags(flag string, tags []string) (map[string]string, error) {
	if len(tags) == 0 {
		return nil, nil
	}
	parsed := make(map[string]string, len(tags))
	for _, tag := range tags {
		key, value, found := strings.Cut(tag, "=")
		if !found || key == "" {
			return nil, exit.Usage(fmt.Errorf("%s %s is not KEY=VALUE", flag, election.SafeText(tag)))
		}
		if _, twice := parsed[key]; twice {
			return nil, exit.Usage(fmt.Errorf("%s %s is given twice", flag, election.SafeText(key)))
		}
		parsed[key] = value
	}
	return parsed, nil
}

// warnOfConfig logs how the config of an existing election differs from the flags, and
// what makes it less safe than the default config.
func (f *runFlags) warnOfConfig(log *slog.Logger, config fdbelection.Config) {
	var differs []string
	if f.leaseGiven && config.LeaseDuration != f.lease {
		differs = append(differs, fmt.Sprintf("lease %s (not %s)", config.LeaseDuration, f.lease))
	}
	if f.graceGiven && config.PreemptionGrace != f.grace {
		differs = append(differs, fmt.Sprintf("grace %s (not %s)", config.PreemptionGrace, f.grace))
	}
	if weak := config.Weaknesses(); weak != nil && !f.graceGiven {
		log = log.With("hint", "`fdbelect config set --defaults` makes it safer")
		for _, weakness := range weak {
			differs = append(differs, weakness.String())
		}
	}
	if differs != nil {
		log.Warn("the election exists already, and its config is not changed", "differences", strings.Join(differs, ", "))
	}
}
