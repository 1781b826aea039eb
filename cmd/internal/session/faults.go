package session

import (
	"errors"
	"fmt"

	"github.com/spf13/pflag"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/cmd/internal/records"
)

// FaultsByFlag names the faults of a config by the flags that the user set. All other
// settings follow from the lease, so their faults are left out if the lease has one.
func FaultsByFlag[C any](err error, settings []records.Setting[C], flags *pflag.FlagSet) error {
	all, ok := errors.AsType[*fdbelection.InvalidConfigError](err)
	if !ok {
		return err
	}
	renamed, lease := &fdbelection.InvalidConfigError{}, false
	for _, fault := range all.Faults {
		flag := fault.Field
		if s := records.SettingOfField(settings, fault.Field); s != nil {
			flag = s.Flag()
		}
		switch {
		case flags.Changed(flag):
			fault.Field = flagName(flags, flag)
			lease = lease || flag == "lease"
		case lease: // Validate returns its fault first
			continue
		default:
			fault.Field = fmt.Sprintf("the %s that follows from %s", flag, flagName(flags, "lease"))
		}
		renamed.Faults = append(renamed.Faults, fault)
	}
	return renamed
}
