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
func settingNames[C any](settings []records.Setting[C]) string {
	names := make([]string, len(settings))
	for i, s := range settings {
		names[i] = s.Name
	}
	return strings.Join(names, ", ")
}

// assignment is one KEY=VALUE of "config set".
type assignment[C any] struct {
	setting *records.Setting[C]
	value   string
}

// parseAssignments parses KEY=VALUE pairs and their values, and returns all faults.
func parseAssignments[C any](settings []records.Setting[C], args []string, mayBeNone bool) ([]assignment[C], error) {
	if len(args) == 0 && !mayBeNone {
		return nil, exit.Usage(fmt.Errorf("no setting is given: give KEY=VALUE with one of the keys %s", settingNames(settings)))
	}
	var parsed []assignment[C]
	var faults []error
	seen := make(map[string]bool)
	for _, arg := range args {
		name, value, found := strings.Cut(arg, "=")
		s := settingOf(settings, name)
		var scratch C
		switch {
		case !found:
			faults = append(faults, fmt.Errorf("%s is not KEY=VALUE", election.SafeText(arg)))
			continue
		case s == nil:
			faults = append(faults, fmt.Errorf("there is no setting %s; use one of %s", election.SafeText(name), settingNames(settings)))
			continue
		case seen[s.Name]:
			faults = append(faults, fmt.Errorf("%s is set twice", s.Name))
		}
		seen[s.Name] = true
		if err := s.Set(&scratch, value); err != nil {
			faults = append(faults, fmt.Errorf("%s cannot be %s: %w", s.Name, election.SafeText(value), err))
		}
		parsed = append(parsed, assignment[C]{s, value})
	}
	if faults != nil {
		return nil, exit.Usage(errors.Join(faults...))
	}
	return parsed, nil
}

func setAll[C any](config *C, assignments []assignment[C]) error {
	for _, one := range assignments {
		if err := one.setting.Set(config, one.value); err != nil {
			return err
		}
	}
	return nil
}

// settingOf returns a setting by its name, or nil. Dashes are allowed for underscores, as
// in the flags of "init".
func settingOf[C any](settings []records.Setting[C], name string) *records.Setting[C] {
	name = strings.ReplaceAll(name, "-", "_")
	if name == "grace" {
		name = "preemption_grace"
	}
	for i := range settings {
		if settings[i].Name == name {
			return &settings[i]
		}
	}
	return nil
}

// bySettings names the faults of a config by their settings.
func bySettings[C any](settings []records.Setting[C], err error) error {
	invalid, ok := errors.AsType[*fdbelection.InvalidConfigError](err)
	if !ok {
		return err
	}
	renamed := &fdbelection.InvalidConfigError{}
	for _, fault := range invalid.Faults {
		if s := records.SettingOfField(settings, fault.Field); s != nil {
			fault.Field = s.Name
		}
		renamed.Faults = append(renamed.Faults, fault)
	}
	return renamed
}
