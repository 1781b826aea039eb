//go:build race

package fdbkv_test

// raceDetector: the tests run under it, where pools forget on purpose.
const raceDetector = true
