package cli

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
)

// setting is one setting of a config, by the name that it has in the output
// for scripts.
type setting struct {
	name  string
	field string // in fdbelection.Config
	get   func(c fdbelection.Config) string
	set   func(c *fdbelection.Config, value string) error
}

// defaultsFor returns the default config, scaled to a lease.
func defaultsFor(lease time.Duration) fdbelection.Config {
	if lease == fdbelection.DefaultLeaseDuration {
		return fdbelection.DefaultConfig()
	}
	return fdbelection.ConfigWithLease(lease)
}

// setDefaults gives a config the defaults of its lease: what decides how a leader is
// followed. The rest stays.
func setDefaults(c *fdbelection.Config) {
	of := fdbelection.ConfigWithLease(c.LeaseDuration)
	c.Expiry = of.Expiry
	c.PreemptionGrace, c.MinimumTenure, c.PreemptDelay = of.PreemptionGrace, of.MinimumTenure, of.PreemptDelay
}

// setRecipe gives a config what the recipe has in place of these.
func setRecipe(c *fdbelection.Config) {
	of := fdbelection.RecipeConfig()
	c.Expiry = of.Expiry
	c.PreemptionGrace, c.MinimumTenure, c.PreemptDelay = of.PreemptionGrace, of.MinimumTenure, of.PreemptDelay
}

var settings = []setting{
	durationSetting("lease", "LeaseDuration", func(c *fdbelection.Config) *time.Duration { return &c.LeaseDuration }),
	durationSetting("heartbeat", "HeartbeatInterval", func(c *fdbelection.Config) *time.Duration { return &c.HeartbeatInterval }),
	durationSetting("candidate_timeout", "CandidateTimeout", func(c *fdbelection.Config) *time.Duration { return &c.CandidateTimeout }),
	{
		name: "margin", field: "Margin",
		get: func(c fdbelection.Config) string {
			if c.Margin == 0 {
				return "default"
			}
			return c.Margin.String()
		},
		set: func(c *fdbelection.Config, value string) error {
			if value == "default" {
				c.Margin = 0
				return nil
			}
			d, err := time.ParseDuration(value)
			if err != nil || d < 0 {
				return errors.New(`use a duration such as 1s, or "default" for a tenth of the lease`)
			}
			c.Margin = d
			return nil
		},
	},
	{
		name: "expiry", field: "Expiry",
		get: func(c fdbelection.Config) string { return c.Expiry.String() },
		set: func(c *fdbelection.Config, value string) error {
			mode, err := fdbelection.ParseExpiryMode(value)
			if err != nil {
				return errors.New(`use "observation" or "clock"`)
			}
			c.Expiry = mode
			return nil
		},
	},
	boolSetting("preemption", "AllowPreemption", func(c *fdbelection.Config) *bool { return &c.AllowPreemption }),
	durationSetting("preemption_grace", "PreemptionGrace", func(c *fdbelection.Config) *time.Duration { return &c.PreemptionGrace }),
	durationSetting("minimum_tenure", "MinimumTenure", func(c *fdbelection.Config) *time.Duration { return &c.MinimumTenure }),
	durationSetting("preempt_delay", "PreemptDelay", func(c *fdbelection.Config) *time.Duration { return &c.PreemptDelay }),
	{
		name: "history_limit", field: "HistoryLimit",
		get: func(c fdbelection.Config) string { return strconv.Itoa(c.HistoryLimit) },
		set: func(c *fdbelection.Config, value string) error {
			n, err := strconv.Atoi(value)
			if err != nil {
				return fmt.Errorf("use a number from 0 to %d", fdbelection.MaxHistoryLimit)
			}
			c.HistoryLimit = n
			return nil
		},
	},
	boolSetting("enabled", "ElectionEnabled", func(c *fdbelection.Config) *bool { return &c.ElectionEnabled }),
}

func durationSetting(name, field string, of func(*fdbelection.Config) *time.Duration) setting {
	return setting{
		name: name, field: field,
		get: func(c fdbelection.Config) string { return of(&c).String() },
		set: func(c *fdbelection.Config, value string) error {
			d, err := time.ParseDuration(value)
			if err != nil || d < 0 {
				return errors.New("use a duration such as 10s or 500ms")
			}
			*of(c) = d
			return nil
		},
	}
}

func boolSetting(name, field string, of func(*fdbelection.Config) *bool) setting {
	return setting{
		name: name, field: field,
		get: func(c fdbelection.Config) string { return strconv.FormatBool(*of(&c)) },
		set: func(c *fdbelection.Config, value string) error {
			b, err := strconv.ParseBool(value)
			if err != nil {
				return errors.New("use true or false")
			}
			*of(c) = b
			return nil
		},
	}
}

// settingNames lists the names that "config set" knows.
func settingNames() string {
	names := make([]string, len(settings))
	for i, s := range settings {
		names[i] = s.name
	}
	return strings.Join(names, ", ")
}

// assignment is one KEY=VALUE of "config set".
type assignment struct {
	setting *setting
	value   string
}

// parseAssignments reads KEY=VALUE pairs, and names everything that is wrong
// with them. The values are judged as well.
func parseAssignments(args []string, mayBeNone bool) ([]assignment, error) {
	if len(args) == 0 && !mayBeNone {
		return nil, usage(fmt.Errorf("nothing is to be set: give KEY=VALUE, where KEY is one of %s", settingNames()))
	}
	var parsed []assignment
	var faults []error
	seen := make(map[string]bool)
	for _, arg := range args {
		name, value, found := strings.Cut(arg, "=")
		s := settingOf(name)
		var scratch fdbelection.Config
		switch {
		case !found:
			faults = append(faults, fmt.Errorf("%s is not KEY=VALUE", election.SafeText(arg)))
			continue
		case s == nil:
			faults = append(faults, fmt.Errorf("there is no setting %s; use one of %s", election.SafeText(name), settingNames()))
			continue
		case seen[s.name]:
			faults = append(faults, fmt.Errorf("%s is set twice", s.name))
		}
		seen[s.name] = true
		if err := s.set(&scratch, value); err != nil {
			faults = append(faults, fmt.Errorf("%s cannot be %s: %w", s.name, election.SafeText(value), err))
		}
		parsed = append(parsed, assignment{s, value})
	}
	if faults != nil {
		return nil, usage(errors.Join(faults...))
	}
	return parsed, nil
}

func setAll(config *fdbelection.Config, assignments []assignment) error {
	for _, one := range assignments {
		if err := one.setting.set(config, one.value); err != nil {
			return err
		}
	}
	return nil
}

// settingOf finds a setting by its name; dashes do for underscores, as in the
// flags of "init".
func settingOf(name string) *setting {
	name = strings.ReplaceAll(name, "-", "_")
	if name == "grace" {
		name = "preemption_grace"
	}
	for i := range settings {
		if settings[i].name == name {
			return &settings[i]
		}
	}
	return nil
}

// difference is one setting that two configs do not agree on, for scripts:
// names stay.
type difference struct {
	Setting string `json:"setting"`
	From    string `json:"before"`
	To      string `json:"after"`
}

func differences(from, to fdbelection.Config) []difference {
	list := []difference{}
	for _, s := range settings {
		if before, after := s.get(from), s.get(to); before != after {
			list = append(list, difference{s.name, before, after})
		}
	}
	return list
}

// bySettings names the settings in what is wrong with a config as "config set" does.
func bySettings(err error) error {
	invalid, ok := errors.AsType[*fdbelection.InvalidConfigError](err)
	if !ok {
		return err
	}
	renamed := &fdbelection.InvalidConfigError{}
	for _, fault := range invalid.Faults {
		if s := settingOfField(fault.Field); s != nil {
			fault.Field = s.name
		}
		renamed.Faults = append(renamed.Faults, fault)
	}
	return renamed
}

// byFlags names the settings in what is wrong with a config by the flags that the user
// set. The other settings follow from the lease, so their faults are left out if the
// lease has one.
func byFlags(err error, flags *pflag.FlagSet) error {
	all, ok := errors.AsType[*fdbelection.InvalidConfigError](err)
	if !ok {
		return err
	}
	renamed, lease := &fdbelection.InvalidConfigError{}, false
	for _, fault := range all.Faults {
		flag := fault.Field
		if s := settingOfField(fault.Field); s != nil {
			flag = s.flag()
		}
		switch {
		case flags.Changed(flag):
			fault.Field = nameOf(flags, flag)
			lease = lease || flag == "lease"
		case lease: // Validate names its fault first
			continue
		default:
			fault.Field = fmt.Sprintf("the %s that follows from %s", flag, nameOf(flags, "lease"))
		}
		renamed.Faults = append(renamed.Faults, fault)
	}
	return renamed
}

// settingOfField finds a setting by the field that it is in fdbelection.Config.
func settingOfField(field string) *setting {
	for i := range settings {
		if settings[i].field == field {
			return &settings[i]
		}
	}
	return nil
}

// flag is the flag of "init" for a setting.
func (s *setting) flag() string {
	switch s.name {
	case "preemption_grace":
		return "grace"
	case "preemption":
		return "no-preemption"
	case "enabled":
		return "disabled"
	default:
		return strings.ReplaceAll(s.name, "_", "-")
	}
}
