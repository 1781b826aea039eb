// Package lint holds the checks of this project that no ready-made linter
// makes. They are tests, so `go test ./...` runs them; the package exports
// nothing.
package lint
