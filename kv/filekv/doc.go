// Package filekv is the contract of package kv on one file.
package filekv
