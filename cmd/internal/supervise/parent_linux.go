package supervise

import "syscall"

// killWithParent makes the kernel kill the command when the thread that starts it ends.
func killWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGKILL }
