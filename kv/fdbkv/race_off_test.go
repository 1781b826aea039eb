//go:build !race

package fdbkv_test

const raceDetector = false
