// Package journal writes lines in the background, for a program that must not wait for the
// reader.
package journal
