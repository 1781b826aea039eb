//go:build unix && !linux

package supervise

import "syscall"

// dieWithParent does nothing. Only Linux has such a flag.
func dieWithParent(*syscall.SysProcAttr) {}
