package cli_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/cmd/internal/processtest"
	"github.com/fdbelection/fdbelection/internal/longtest"
)

// TestScripts runs the scripts of testdata/script, each with the command as a process of
// its own. They have two more commands than testscript:
//
//	exits CODE command...        the command must end with this exit code
//	eventually REGEXP command... the command is repeated until its stdout matches
//
// $STORES is the folder of the stores that releases wrote.
func TestScripts(t *testing.T) {
	stores, err := filepath.Abs("../../../internal/compatibility/testdata")
	require.NoError(t, err)
	testscript.Run(t, testscript.Params{
		Dir:   "testdata/script",
		Setup: func(env *testscript.Env) error { env.Setenv("STORES", stores); return nil },
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits":      exits,
			"eventually": eventuallyScript,
		},
		Condition: func(condition string) (bool, error) {
			switch condition {
			case "root":
				return os.Getuid() == 0, nil
			case "long":
				return longtest.Enabled(), nil
			default:
				return false, errors.New("unknown condition")
			}
		},
		RequireExplicitExec: true,
	})
}

// slowStore is how a subcommand ends that judges heartbeats and finds the store slow. On a
// busy machine a script does what the text says.
const slowStore = "try again when the store is fast"

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE command...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	for range 20 {
		err = ts.Exec(args[1], args[2:]...)
		if !strings.Contains(ts.ReadFile("stderr"), slowStore) {
			break
		}
	}
	code := 0
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		code = exit.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if code != want {
		ts.Fatalf("exit code %d, want %d", code, want)
	}
}

func eventuallyScript(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: eventually REGEXP command...")
	}
	want, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	for deadline := time.Now().Add(processtest.Patience); ; {
		_ = ts.Exec(args[1], args[2:]...) // it may fail until the time has come
		if want.MatchString(ts.ReadFile("stdout")) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("stdout never matches %q", want)
		}
		<-time.After(100 * time.Millisecond)
	}
}
