//go:build unix && !linux && !aix && !netbsd

package supervise

import "os"

func ownProgram() (string, error) { return os.Executable() }

func becomeSubreaper() {}

func setProcessName(string) {}
