//go:build !unix

package supervise_test

// workerCommands is empty, because there are no guards on this system.
var workerCommands map[string]func()
