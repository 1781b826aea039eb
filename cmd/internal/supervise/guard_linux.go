package supervise

import (
	"os"

	"golang.org/x/sys/unix"
)

// ownProgram returns a file that is this very program, even if another version has
// replaced it by name: a guard and its supervisor must be of the same version.
func ownProgram() (string, error) {
	const self = "/proc/self/exe"
	if _, err := os.Stat(self); err == nil {
		return self, nil
	}
	return os.Executable()
}

// adopt makes this process the parent of processes that its descendants leave behind, so
// that it can wait for them.
func adopt() {
	_ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) // if it fails, endGroup polls them
}

// setName names this process for tools such as ps. Its name would be "exe".
func setName(name string) {
	_ = os.WriteFile("/proc/self/comm", []byte(name), 0) // the name is only for people
}
