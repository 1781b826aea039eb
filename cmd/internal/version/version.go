package version

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
)

// modulePath is that of the module in which this package is.
const modulePath = "github.com/fdbelection/fdbelection"

// versionInfo is what "version" shows.
type Info struct {
	Module   string   `json:"module"`
	Version  string   `json:"version"`
	Commit   string   `json:"commit"` // empty if the build does not say
	Time     string   `json:"commit_time"`
	Modified bool     `json:"modified"` // the tree was not as the commit is
	Go       string   `json:"go"`
	Platform string   `json:"platform"`
	Stores   []string `json:"stores"`
}

// ownVersion is that of this program.
func Own() *Info {
	build, _ := debug.ReadBuildInfo()
	info := Of(build)
	return &info
}

// versionOf reads the version from what the linker recorded. A command of
// another module, as that of the adapter is, has this one among its
// dependencies.
func Of(build *debug.BuildInfo) Info {
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

// line is the version in one line.
func (v *Info) Line() string { return fmt.Sprintf("fdbelect %s (%s)", v.Version, v.Module) }

// rows is the version for people to read.
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
