// Package supervise runs the command of "fdbelect run" while its process leads, and ends
// it before the lease can end.
//
// The command runs in a process group of its own. When the tenure ends, the group gets
// SIGTERM, and SIGKILL at the end deadline. Nothing in the group outlives the command.
//
// A guard is a second process between the supervisor and the command. It knows the
// deadlines of the tenure, so the command ends in time even if the supervisor is stopped,
// hangs or is killed. If the guard is killed, the supervisor ends the command, and on
// Linux the kernel does too. Windows has no guards.
package supervise
