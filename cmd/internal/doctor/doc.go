// Package doctor is "fdbelect doctor": it examines a store and an election, and says for each
// finding what it means and what to do.
package doctor
