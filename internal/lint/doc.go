// Package lint holds this project's own checks, for rules that no existing linter
// has. They are tests, so `go test ./...` runs them. The package exports nothing.
package lint
