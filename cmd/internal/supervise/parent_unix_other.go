//go:build unix && !linux

package supervise

import "syscall"

// killWithParent does nothing. Only Linux has a flag for it.
func killWithParent(*syscall.SysProcAttr) {}
