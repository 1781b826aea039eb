package records

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/fdbelection/fdbelection"
)

// Setting is one setting of a config of type C, by its name in the output.
type Setting[C any] struct {
	Name  string
	field string // its name in C
	Get   func(c C) string
	Set   func(c *C, value string) error
}

// DefaultConfig returns the default config for a lease.
func DefaultConfig(lease time.Duration) fdbelection.Config {
	if lease == fdbelection.DefaultLeaseDuration {
		return fdbelection.DefaultConfig()
	}
	return fdbelection.ConfigWithLease(lease)
}

// Settings lists the settings of an election, in the order of the output.
var Settings = []Setting[fdbelection.Config]{
	durationSetting("lease", "LeaseDuration", func(c *fdbelection.Config) *time.Duration { return &c.LeaseDuration }),
	durationSetting("heartbeat", "HeartbeatInterval", func(c *fdbelection.Config) *time.Duration { return &c.HeartbeatInterval }),
	durationSetting("candidate_timeout", "CandidateTimeout", func(c *fdbelection.Config) *time.Duration { return &c.CandidateTimeout }),
	marginSetting(func(c *fdbelection.Config) *time.Duration { return &c.Margin }),
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
	countSetting("history_limit", "HistoryLimit", 0, fdbelection.MaxHistoryLimit, func(c *fdbelection.Config) *int { return &c.HistoryLimit }),
	boolSetting("enabled", "ElectionEnabled", func(c *fdbelection.Config) *bool { return &c.ElectionEnabled }),
}

func durationSetting[C any](name, field string, of func(*C) *time.Duration) Setting[C] {
	return Setting[C]{
		Name: name, field: field,
		Get: func(c C) string { return of(&c).String() },
		Set: func(c *C, value string) error {
			d, err := time.ParseDuration(value)
			if err != nil || d < 0 {
				return errors.New("use a duration such as 10s or 500ms")
			}
			*of(c) = d
			return nil
		},
	}
}

func marginSetting[C any](of func(*C) *time.Duration) Setting[C] {
	return Setting[C]{
		Name: "margin", field: "Margin",
		Get: func(c C) string {
			if *of(&c) == 0 {
				return "default"
			}
			return of(&c).String()
		},
		Set: func(c *C, value string) error {
			if value == "default" {
				*of(c) = 0
				return nil
			}
			d, err := time.ParseDuration(value)
			if err != nil || d < 0 {
				return errors.New(`use a duration such as 1s, or "default" for a tenth of the lease`)
			}
			*of(c) = d
			return nil
		},
	}
}

func boolSetting[C any](name, field string, of func(*C) *bool) Setting[C] {
	return Setting[C]{
		Name: name, field: field,
		Get: func(c C) string { return strconv.FormatBool(*of(&c)) },
		Set: func(c *C, value string) error {
			b, err := strconv.ParseBool(value)
			if err != nil {
				return errors.New("use true or false")
			}
			*of(c) = b
			return nil
		},
	}
}

func countSetting[C any](name, field string, least, most int, of func(*C) *int) Setting[C] {
	return Setting[C]{
		Name: name, field: field,
		Get: func(c C) string { return strconv.Itoa(*of(&c)) },
		Set: func(c *C, value string) error {
			n, err := strconv.Atoi(value)
			if err != nil {
				return fmt.Errorf("use a number from %d to %d", least, most)
			}
			*of(c) = n
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
func Differences[C any](settings []Setting[C], from, to C) []Difference {
	list := []Difference{}
	for _, s := range settings {
		if before, after := s.Get(from), s.Get(to); before != after {
			list = append(list, Difference{s.Name, before, after})
		}
	}
	return list
}

// DifferenceText says how stored settings differ from wanted ones.
func DifferenceText(differ []Difference) string {
	texts := make([]string, len(differ))
	for i, d := range differ {
		texts[i] = fmt.Sprintf("%s is %s, not %s", d.Setting, d.From, d.To)
	}
	return strings.Join(texts, ", ")
}

// SettingOfField returns the setting of a field of a config, or nil.
func SettingOfField[C any](settings []Setting[C], field string) *Setting[C] {
	for i := range settings {
		if settings[i].field == field {
			return &settings[i]
		}
	}
	return nil
}

// Flag returns the flag of "init", or of "group create", for a setting.
func (s *Setting[C]) Flag() string {
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
