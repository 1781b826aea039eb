// Package groupview is what an outsider knows of a group: its records, which change from one
// read to the next, its members and their heartbeats, and the moves that the balance plans. It
// writes nothing.
package groupview
