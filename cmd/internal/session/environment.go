package session

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"github.com/fdbelection/fdbelection/election"
)

// Annotations of a flag: its environment variable, and that the variable has set it.
const (
	variableAnnotation = "fdbelect_variable"
	variableSet        = "fdbelect_variable_set"
)

// Variable returns the environment variable of a flag.
func Variable(flag string) string {
	return "FDBELECT_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// FromEnvironment gives flags their environment variables, and names them in the help.
func FromEnvironment(flags *pflag.FlagSet, names ...string) {
	for _, name := range names {
		if f := flags.Lookup(name); f.Annotations[variableAnnotation] == nil {
			_ = flags.SetAnnotation(name, variableAnnotation, []string{Variable(name)}) // the flag exists
			f.Usage += " [" + Variable(name) + "]"
		}
	}
}

// ReadEnvironment sets the flags that the command line does not set from their variables.
// An empty variable counts as not set.
func ReadEnvironment(flags *pflag.FlagSet) (err error) {
	flags.VisitAll(func(f *pflag.Flag) {
		variable := f.Annotations[variableAnnotation]
		if err != nil || f.Changed || variable == nil {
			return
		}
		text := os.Getenv(variable[0])
		if text == "" {
			return
		}
		values := []string{text}
		if _, repeated := f.Value.(pflag.SliceValue); repeated {
			values = strings.Split(text, ",")
		}
		for _, value := range values {
			if fault := f.Value.Set(value); fault != nil {
				err = fmt.Errorf("%s cannot be %s: %w", variable[0], election.SafeText(value), fault)
				return
			}
		}
		f.Changed = true
		_ = flags.SetAnnotation(f.Name, variableSet, []string{"true"}) // the flag exists
	})
	return err
}

// SetByVariable reports whether a flag was set by its variable. It returns false if flags
// is nil.
func SetByVariable(flags *pflag.FlagSet, name string) bool {
	if flags == nil {
		return false
	}
	f := flags.Lookup(name)
	return f != nil && f.Annotations[variableSet] != nil
}

// flagName returns the name by which the user set a flag: its variable, or the flag
// itself.
func flagName(flags *pflag.FlagSet, name string) string {
	if SetByVariable(flags, name) {
		return Variable(name)
	}
	return "--" + name
}
