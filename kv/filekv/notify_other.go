//go:build !linux

package filekv

import "os"

func newNotifier(path string, mode os.FileMode) notifier { return newPoller(path, mode) }
