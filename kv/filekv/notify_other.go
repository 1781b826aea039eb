//go:build !linux

package filekv

func newNotifier(string) notifier { return newPoller() }
