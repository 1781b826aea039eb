package cli_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/cmd/internal/processtest"
)

// TestFaultsAreNamedAsTheUserSetThem: an error names the flag or the variable that the
// user set. It does not name settings that follow from another one as if the user had set
// them.
func TestFaultsAreNamedAsTheUserSetThem(t *testing.T) {
	for _, test := range []struct {
		flag, value string
		want, never []string
		more        string
	}{
		{flag: "id", value: "a\x1b[2Jb", want: []string{"invalid candidate: NAME \"a\\x1b[2Jb\" contains a control character"}},
		{flag: "id", value: strings.Repeat("x", 256), want: []string{"NAME", "256 bytes"}},
		{flag: "priority", value: "high", want: []string{"NAME", "high"}},
		{flag: "tag", value: "novalue", want: []string{"NAME novalue is not KEY=VALUE"}},
		{flag: "tag", value: strings.Repeat("x", 9000) + "=1", want: []string{"invalid candidate: NAME has 9001 bytes"}},
		{flag: "lease", value: "0s", want: []string{"invalid config: NAME is 0s; use 1ms"}, never: []string{"heartbeat", "Heartbeat", "Lease", "timeout"}},
		{flag: "lease", value: "soon", want: []string{"NAME"}},
		{flag: "grace", value: "-1s", want: []string{"invalid config: NAME is -1s"}, never: []string{"Preemption"}},
		{flag: "head-start", value: "-1s", want: []string{"NAME is -1s"}},
		{flag: "pre-stop", value: "0s", want: []string{"NAME is 0s"}},
		{flag: "timeout", value: "0s", want: []string{"NAME is 0s"}},
		{flag: "restart", value: "always", want: []string{"NAME always needs a command"}},
		{flag: "restart", value: "often", want: []string{"NAME", "use never, on-failure or always"}},
		{flag: "give-up-after", value: "-1", want: []string{"NAME is -1; use 0 to start the command again for ever"}},
		{flag: "give-up-window", value: "0s", want: []string{"NAME is 0s; it must be above zero"}},
		{flag: "ready-http", value: "ftp://\x1b[2J@host/", want: []string{"NAME is not a URL"}},
		{flag: "ready-http", value: "ftp://host/", want: []string{"NAME ftp://host/ is not an HTTP URL"}},
		{flag: "ready-period", value: "often", want: []string{"NAME"}},
		{flag: "once", value: "maybe", want: []string{"NAME"}},
		{flag: "log-format", value: "yaml", want: []string{"NAME", "use text or json"}},
		{flag: "log-level", value: "loud", want: []string{"NAME", "use debug, info, warn or error"}},
		{flag: "store", value: "redis:x", want: []string{"NAME redis:x is none of these"}},
		{flag: "election", value: "leader", want: []string{"NAME leader is reserved"}},
		{flag: "root", value: "a//b", want: []string{"NAME has an empty name"}},
	} {
		variable := "FDBELECT_" + strings.ToUpper(strings.ReplaceAll(test.flag, "-", "_"))
		for _, name := range []string{"--" + test.flag, variable} {
			t.Run(name+"="+test.value[:min(len(test.value), 10)], func(t *testing.T) {
				args := []string{"run"}
				for flag, value := range map[string]string{"store": "file:" + processtest.StoreFile(t), "id": "a"} {
					if flag != test.flag {
						args = append(args, "--"+flag, value)
					}
				}
				if name == variable {
					t.Setenv(variable, test.value)
				} else {
					args = append(args, name+"="+test.value)
				}
				o := typedWords(t, args...)
				require.Equal(t, 2, o.Code, o.Stderr)
				for _, want := range test.want {
					require.Contains(t, o.Stderr, strings.ReplaceAll(want, "NAME", name))
				}
				first, _, _ := strings.Cut(o.Stderr, "\n")
				for _, never := range test.never {
					require.NotContains(t, first, never)
				}
				require.NotContains(t, o.Stderr, "\x1b")
			})
		}
	}
}

// TestFaultsOfInit: the same for init, whose settings follow from the lease.
func TestFaultsOfInit(t *testing.T) {
	for args, want := range map[string]string{
		"--lease 0s":                   "invalid config: --lease is 0s; use 1ms to 8760h0m0s\n",
		"--heartbeat 20s":              "; --heartbeat is 20s, not shorter than the lease",
		"--lease 5ns --heartbeat -1s":  "invalid config: --lease is 5ns; use 1ms to 8760h0m0s; --heartbeat is -1s; use 1ns to 8760h0m0s\n",
		"--margin 20s":                 "invalid config: --margin is 20s, not shorter than the lease of 10s\n",
		"--history-limit -1":           "invalid config: --history-limit is -1;",
		"--lease 20s --heartbeat -20s": "invalid config: --heartbeat is -20s;",
	} {
		o := processtest.Typed(t, "init "+args, "--store", "file:"+processtest.StoreFile(t))
		require.Equal(t, 2, o.Code, o.Stderr)
		require.Contains(t, o.Stderr, want)
	}
}

// TestVariablesOfRun: the help of run and of group run names the variable of each flag. None of
// them is a variable that they give to a command.
func TestVariablesOfRun(t *testing.T) {
	t.Setenv("FDBELECT_ROOT", "elsewhere")
	for command, gives := range map[string][]string{
		"run":       {"TOKEN", "TERM", "NODE_ID", "BALLOT", "LEADER"},
		"group run": {"TOKEN", "TERM", "NODE_ID", "SHARD"},
	} {
		help := processtest.Typed(t, command+" --help").Stdout
		require.NotContains(t, help, "elsewhere", "the help does not depend on the environment")
		flags := regexp.MustCompile(`(?m)^ +(?:-\w, )?--([a-z-]+) .*`).FindAllStringSubmatch(help, -1)
		require.Greater(t, len(flags), 10)
		for _, flag := range flags {
			if flag[1] != "help" {
				require.Contains(t, flag[0], "[FDBELECT_"+strings.ToUpper(strings.ReplaceAll(flag[1], "-", "_"))+"]")
			}
		}
		for _, given := range gives {
			require.Contains(t, help, "FDBELECT_"+given)
			require.NotContains(t, help, "[FDBELECT_"+given+"]")
		}
	}
	require.Contains(t, processtest.Typed(t, "status --help").Stdout, "[FDBELECT_STORE]")
	require.NotContains(t, processtest.Typed(t, "status --help").Stdout, "[FDBELECT_TIMEOUT]")
}

// typedWords is processtest.Typed for words with spaces.
func typedWords(t *testing.T, args ...string) processtest.Outcome {
	t.Helper()
	return processtest.Typed(t, args[0], args[1:]...)
}
