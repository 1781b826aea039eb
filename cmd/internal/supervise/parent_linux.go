package supervise

import "syscall"

// dieWithParent has the kernel kill the command where its supervisor dies.
func dieWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGKILL }
