package supervise

import (
	"os"

	"golang.org/x/sys/unix"
)

// ownProgram returns a path of the running program, even if its file was replaced by
// another version. Guard and supervisor must have the same version.
func ownProgram() (string, error) {
	const self = "/proc/self/exe"
	if _, err := os.Stat(self); err == nil {
		return self, nil
	}
	return os.Executable()
}

// becomeSubreaper makes this process the parent of orphaned descendants, so that it can
// wait for them.
func becomeSubreaper() {
	_ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) // if it fails, endGroup polls for these processes
}

// setProcessName sets the name that ps shows. Otherwise it would be "exe".
func setProcessName(name string) {
	_ = os.WriteFile("/proc/self/comm", []byte(name), 0) // a wrong name does no harm
}
