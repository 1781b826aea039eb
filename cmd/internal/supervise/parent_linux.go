package supervise

import "syscall"

// dieWithParent makes the kernel kill the command if its supervisor dies.
func dieWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGKILL }
