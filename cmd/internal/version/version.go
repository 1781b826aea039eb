// Package version reads the version of fdbelect from the build.
package version

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
)

// modulePath is the module of the library.
const modulePath = "github.com/fdbelection/fdbelection"

// stamped is the version of a release, such as v1.2.3. The build of a release sets it with the linker
// flag -X, because a build in the workspace does not know the version of the library.
var stamped string

// Info is the output of "version".
type Info struct {
	Module   string   `json:"module"`
	Version  string   `json:"version"`
	Commit   string   `json:"commit"` // empty if the build does not say
	Time     string   `json:"commit_time"`
	Modified bool     `json:"modified"` // the tree differed from the commit
	Go       string   `json:"go"`
	Platform string   `json:"platform"`
	Stores   []string `json:"stores"`
}

// Own returns the version of this program.
func Own() *Info {
	build, _ := debug.ReadBuildInfo()
	info := of(build)
	if stamped != "" {
		info.Version = stamped
	}
	return &info
}

// of reads the version of the library from what the linker recorded. If the command is in
// another module, the library is among its dependencies.
func of(build *debug.BuildInfo) Info {
	info := Info{
		Module: modulePath, Version: "unknown", Go: runtime.Version(),
		Platform: runtime.GOOS + "/" + runtime.GOARCH,
	}
	if build == nil {
		return info
	}
	for _, m := range append([]*debug.Module{&build.Main}, build.Deps...) {
		if m.Path != modulePath {
			continue
		}
		if m.Replace != nil {
			m = m.Replace
		}
		if m.Version != "" {
			info.Version = m.Version
		}
		break
	}
	for _, s := range build.Settings {
		switch s.Key {
		case "vcs.revision":
			info.Commit = s.Value
		case "vcs.time":
			info.Time = s.Value
		case "vcs.modified":
			info.Modified = s.Value == "true"
		}
	}
	return info
}

// Line returns the version in one line.
func (v *Info) Line() string { return fmt.Sprintf("fdbelect %s (%s)", v.Version, v.Module) }

// Rows returns the version as rows of a table.
func (v *Info) Rows() [][]string {
	revision := "not recorded by this build"
	if v.Commit != "" {
		revision = strings.TrimSpace(v.Commit + " " + v.Time)
		if v.Modified {
			revision += ", with changes"
		}
	}
	return [][]string{
		{"fdbelect", fmt.Sprintf("%s (%s)", v.Version, v.Module)},
		{"revision", revision},
		{"go", v.Go},
		{"platform", v.Platform},
		{"stores", strings.Join(v.Stores, ", ")},
	}
}
