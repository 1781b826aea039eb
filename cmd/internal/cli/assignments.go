package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/cmd/internal/exit"
	"github.com/fdbelection/fdbelection/cmd/internal/records"
	"github.com/fdbelection/fdbelection/election"
)

// setDefaults sets the defaults of the lease of a config for the settings that decide how
// leadership changes. All others stay.
func setDefaults(c *fdbelection.Config) {
	of := fdbelection.ConfigWithLease(c.LeaseDuration)
	c.Expiry = of.Expiry
	c.PreemptionGrace, c.MinimumTenure, c.PreemptDelay = of.PreemptionGrace, of.MinimumTenure, of.PreemptDelay
}

// setRecipe sets the values of the recipe for the same settings.
func setRecipe(c *fdbelection.Config) {
	of := fdbelection.RecipeConfig()
	c.Expiry = of.Expiry
	c.PreemptionGrace, c.MinimumTenure, c.PreemptDelay = of.PreemptionGrace, of.MinimumTenure, of.PreemptDelay
}

// settingNames lists the settings of "config set".
func settingNames() string {
	names := make([]string, len(records.Settings))
	for i, s := range records.Settings {
		names[i] = s.Name
	}
	return strings.Join(names, ", ")
}

// assignment is one KEY=VALUE of "config set".
type assignment struct {
	setting *records.Setting
	value   string
}

// parseAssignments parses KEY=VALUE pairs and their values, and returns all faults.
func parseAssignments(args []string, mayBeNone bool) ([]assignment, error) {
	if len(args) == 0 && !mayBeNone {
		return nil, exit.Usage(fmt.Errorf("no setting is given: give KEY=VALUE with one of the keys %s", settingNames()))
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
		case seen[s.Name]:
			faults = append(faults, fmt.Errorf("%s is set twice", s.Name))
		}
		seen[s.Name] = true
		if err := s.Set(&scratch, value); err != nil {
			faults = append(faults, fmt.Errorf("%s cannot be %s: %w", s.Name, election.SafeText(value), err))
		}
		parsed = append(parsed, assignment{s, value})
	}
	if faults != nil {
		return nil, exit.Usage(errors.Join(faults...))
	}
	return parsed, nil
}

func setAll(config *fdbelection.Config, assignments []assignment) error {
	for _, one := range assignments {
		if err := one.setting.Set(config, one.value); err != nil {
			return err
		}
	}
	return nil
}

// settingOf returns a setting by its name, or nil. Dashes are allowed for underscores, as
// in the flags of "init".
func settingOf(name string) *records.Setting {
	name = strings.ReplaceAll(name, "-", "_")
	if name == "grace" {
		name = "preemption_grace"
	}
	for i := range records.Settings {
		if records.Settings[i].Name == name {
			return &records.Settings[i]
		}
	}
	return nil
}

// bySettings names the faults of a config by their settings.
func bySettings(err error) error {
	invalid, ok := errors.AsType[*fdbelection.InvalidConfigError](err)
	if !ok {
		return err
	}
	renamed := &fdbelection.InvalidConfigError{}
	for _, fault := range invalid.Faults {
		if s := records.SettingOfField(fault.Field); s != nil {
			fault.Field = s.Name
		}
		renamed.Faults = append(renamed.Faults, fault)
	}
	return renamed
}
