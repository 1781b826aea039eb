package run

import (
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/spf13/pflag"

	"github.com/fdbelection/fdbelection/cmd/internal/probe"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
)

// readyFlags are the flags that say how to check whether this process is ready to lead.
type readyFlags struct {
	command, url string
	period       time.Duration
	timeout      time.Duration
	thresholds   probe.Thresholds
	leadUnready  time.Duration
}

// limit is how long the elector waits for a check. The probe ends a check earlier, so that
// its thresholds count.
func (r *readyFlags) limit() time.Duration { return r.timeout + time.Second }

// readySettings are the flags that have no effect without --ready-command or --ready-http.
var readySettings = []string{"ready-period", "ready-timeout", "ready-success-threshold", "ready-failure-threshold", "lead-unready-after"}

func (r *readyFlags) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&r.command, "ready-command", "", "shell command that ends with 0 if this process is ready to lead")
	flags.StringVar(&r.url, "ready-http", "", "URL that answers with a status of 200 to 399 if this process is ready to lead")
	flags.DurationVar(&r.period, "ready-period", 3*time.Second, "how often to check readiness")
	flags.DurationVar(&r.timeout, "ready-timeout", time.Second, "how long one check may take")
	flags.IntVar(&r.thresholds.Success, "ready-success-threshold", 1, "successful checks in a row until this process is ready")
	flags.IntVar(&r.thresholds.Failure, "ready-failure-threshold", 3, "failed checks in a row until this process is not ready any more")
}

func (r *readyFlags) addLeadUnready(flags *pflag.FlagSet) {
	flags.DurationVar(&r.leadUnready, "lead-unready-after", 0, "how long there must be no leader until a candidate leads that is not ready; 0: it never does")
}

// readiness returns the probe that the flags describe, or nil if there is none.
// Its log is not set.
func (f *common) readiness(p *session.Program) (*probe.Probe, error) {
	command, url := f.Flags.Changed("ready-command"), f.Flags.Changed("ready-http")
	switch {
	case command && url:
		return nil, fmt.Errorf("use either %s or %s", f.Named("ready-command"), f.Named("ready-http"))
	case !command && !url:
		for _, name := range readySettings {
			if f.onCommandLine(name) {
				return nil, fmt.Errorf("--%s needs --ready-command or --ready-http", name)
			}
		}
		return nil, nil
	}
	if err := f.checkReadySettings(); err != nil {
		return nil, err
	}
	check, err := f.readyCheck()
	return &probe.Probe{Check: check, Timeout: f.ready.timeout, Thresholds: f.ready.thresholds, Clock: p.Clock}, err
}

func (f *common) checkReadySettings() error {
	r := &f.ready
	for _, d := range []struct {
		flag  string
		value time.Duration
	}{{"ready-period", r.period}, {"ready-timeout", r.timeout}} {
		if d.value <= 0 {
			return fmt.Errorf("%s is %s; it must be above zero", f.Named(d.flag), d.value)
		}
	}
	for _, n := range []struct {
		flag  string
		value int
	}{{"ready-success-threshold", r.thresholds.Success}, {"ready-failure-threshold", r.thresholds.Failure}} {
		if n.value < 1 {
			return fmt.Errorf("%s is %d; use 1 or more", f.Named(n.flag), n.value)
		}
	}
	if r.leadUnready < 0 {
		return fmt.Errorf("%s is %s; use 0 to never lead without being ready", f.Named("lead-unready-after"), r.leadUnready)
	}
	return nil
}

// readyCheck returns the check that the flags name.
func (f *common) readyCheck() (probe.Check, error) {
	if f.Flags.Changed("ready-http") {
		check, err := probe.HTTP(f.ready.url)
		if err != nil {
			return nil, fmt.Errorf("%s %w", f.Named("ready-http"), err)
		}
		return check, nil
	}
	if f.ready.command == "" {
		return nil, fmt.Errorf("%s is empty", f.Named("ready-command"))
	}
	args := probe.Shell(f.ready.command)
	if _, err := exec.LookPath(args[0]); err != nil {
		return nil, fmt.Errorf("%s needs a shell: %w", f.Named("ready-command"), err)
	}
	env := append(os.Environ(), f.variables()...)
	return probe.Command(args, append(env, "FDBELECT_NODE_ID="+f.id)), nil
}
