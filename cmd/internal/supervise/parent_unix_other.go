//go:build unix && !linux

package supervise

import "syscall"

// dieWithParent does nothing: no other kernel is told by a flag.
func dieWithParent(*syscall.SysProcAttr) {}
