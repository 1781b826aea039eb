package records

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/fdbelection/fdbelection"
)

// Setting is one setting of a config, by its name in the output.
type Setting struct {
	Name  string
	field string // its name in fdbelection.Config
	Get   func(c fdbelection.Config) string
	Set   func(c *fdbelection.Config, value string) error
}

// DefaultConfig returns the default config for a lease.
func DefaultConfig(lease time.Duration) fdbelection.Config {
	if lease == fdbelection.DefaultLeaseDuration {
		return fdbelection.DefaultConfig()
	}
	return fdbelection.ConfigWithLease(lease)
}

// Settings lists the settings of a config, in the order of the output.
var Settings = []Setting{
	durationSetting("lease", "LeaseDuration", func(c *fdbelection.Config) *time.Duration { return &c.LeaseDuration }),
	durationSetting("heartbeat", "HeartbeatInterval", func(c *fdbelection.Config) *time.Duration { return &c.HeartbeatInterval }),
	durationSetting("candidate_timeout", "CandidateTimeout", func(c *fdbelection.Config) *time.Duration { return &c.CandidateTimeout }),
	{
		Name: "margin", field: "Margin",
		Get: func(c fdbelection.Config) string {
			if c.Margin == 0 {
				return "default"
			}
			return c.Margin.String()
		},
		Set: func(c *fdbelection.Config, value string) error {
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
		Name: "expiry", field: "Expiry",
		Get: func(c fdbelection.Config) string { return c.Expiry.String() },
		Set: func(c *fdbelection.Config, value string) error {
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
		Name: "history_limit", field: "HistoryLimit",
		Get: func(c fdbelection.Config) string { return strconv.Itoa(c.HistoryLimit) },
		Set: func(c *fdbelection.Config, value string) error {
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

func durationSetting(name, field string, of func(*fdbelection.Config) *time.Duration) Setting {
	return Setting{
		Name: name, field: field,
		Get: func(c fdbelection.Config) string { return of(&c).String() },
		Set: func(c *fdbelection.Config, value string) error {
			d, err := time.ParseDuration(value)
			if err != nil || d < 0 {
				return errors.New("use a duration such as 10s or 500ms")
			}
			*of(c) = d
			return nil
		},
	}
}

func boolSetting(name, field string, of func(*fdbelection.Config) *bool) Setting {
	return Setting{
		Name: name, field: field,
		Get: func(c fdbelection.Config) string { return strconv.FormatBool(*of(&c)) },
		Set: func(c *fdbelection.Config, value string) error {
			b, err := strconv.ParseBool(value)
			if err != nil {
				return errors.New("use true or false")
			}
			*of(c) = b
			return nil
		},
	}
}

// Difference is one setting in which two configs differ.
type Difference struct {
	Setting string `json:"setting"`
	From    string `json:"before"`
	To      string `json:"after"`
}

// Differences returns the settings in which two configs differ. It is never nil.
func Differences(from, to fdbelection.Config) []Difference {
	list := []Difference{}
	for _, s := range Settings {
		if before, after := s.Get(from), s.Get(to); before != after {
			list = append(list, Difference{s.Name, before, after})
		}
	}
	return list
}

// SettingOfField returns the setting of a field of fdbelection.Config, or nil.
func SettingOfField(field string) *Setting {
	for i := range Settings {
		if Settings[i].field == field {
			return &Settings[i]
		}
	}
	return nil
}

// Flag returns the flag of "init" for a setting.
func (s *Setting) Flag() string {
	switch s.Name {
	case "preemption_grace":
		return "grace"
	case "preemption":
		return "no-preemption"
	case "enabled":
		return "disabled"
	default:
		return strings.ReplaceAll(s.Name, "_", "-")
	}
}
