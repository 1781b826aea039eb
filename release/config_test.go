package release

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// The parts of .goreleaser.yaml that this project uses. A field that is not here is a misspelt one, or a new
// one whose meaning "goreleaser check" has to confirm.
type (
	config struct {
		Version     int
		ProjectName string `yaml:"project_name"`
		Git         struct {
			IgnoreTags []string `yaml:"ignore_tags"`
		}
		Before   struct{ Hooks []string }
		Builds   []build
		Archives []archive
		Nfpms    []nfpm
		Sboms    []sbom
		Checksum struct {
			NameTemplate string `yaml:"name_template"`
			Algorithm    string
		}
		Snapshot struct {
			VersionTemplate string `yaml:"version_template"`
		}
		Release struct {
			Github     struct{ Owner, Name string }
			Prerelease string
		}
	}
	build struct {
		ID, Main, Binary                  string
		Env, Goos, Goarch, Flags, Ldflags []string
		ModTimestamp                      string `yaml:"mod_timestamp"`
	}
	archive struct {
		ID              string
		IDs, Formats    []string
		FormatOverrides []struct {
			Goos    string
			Formats []string
		} `yaml:"format_overrides"`
		NameTemplate    string `yaml:"name_template"`
		WrapInDirectory bool   `yaml:"wrap_in_directory"`
		BuildsInfo      info   `yaml:"builds_info"`
		Files           []struct {
			Src, Dst    string
			StripParent bool `yaml:"strip_parent"`
			Info        info
		}
	}
	info struct {
		Owner, Group, Mtime string
		Mode                os.FileMode
	}
	nfpm struct {
		ID               string
		IDs, Formats     []string
		PackageName      string `yaml:"package_name"`
		FileNameTemplate string `yaml:"file_name_template"`

		Vendor, Maintainer, Homepage, License, Section, Description, Bindir, Mtime string

		RPM      struct{ BuildHost string }
		Scripts  struct{ PostInstall, PreRemove, PostRemove string }
		Contents []struct{ Src, Dst, Type, Packager string }
	}
	sbom struct {
		ID, Artifacts, Cmd string
		Args, Documents    []string
	}
)

func readConfig(t *testing.T) config {
	t.Helper()
	file, err := os.Open("../.goreleaser.yaml")
	require.NoError(t, err)
	defer file.Close()
	var c config
	decoder := yaml.NewDecoder(file)
	decoder.KnownFields(true)
	require.NoError(t, decoder.Decode(&c))
	return c
}

// There is an archive and a package for every platform, and the same source gives the same bytes.
func TestConfigIsComplete(t *testing.T) {
	c := readConfig(t)
	require.Len(t, c.Builds, 1)
	b := c.Builds[0]
	require.Equal(t, []string{"linux", "darwin", "windows"}, b.Goos)
	require.Equal(t, []string{"amd64", "arm64"}, b.Goarch)
	require.Equal(t, []string{"CGO_ENABLED=0"}, b.Env)
	require.Contains(t, b.Flags, "-trimpath")
	require.Equal(t, "{{ .CommitTimestamp }}", b.ModTimestamp)
	require.FileExists(t, filepath.Join("..", b.Main, "main.go"))

	require.Len(t, c.Archives, 1)
	require.Equal(t, "{{ .CommitDate }}", c.Archives[0].BuildsInfo.Mtime)
	for _, file := range c.Archives[0].Files {
		require.Equal(t, "{{ .CommitDate }}", file.Info.Mtime, file.Src)
		require.Equal(t, os.FileMode(0o644), file.Info.Mode, file.Src)
	}
	require.Len(t, c.Nfpms, 1)
	require.Equal(t, []string{"deb", "rpm"}, c.Nfpms[0].Formats)
	require.Equal(t, "{{ .CommitDate }}", c.Nfpms[0].Mtime)
	require.Equal(t, "localhost", c.Nfpms[0].RPM.BuildHost)
	require.Len(t, c.Sboms, 1)
	require.NotEmpty(t, c.Checksum.NameTemplate)
}

// Every file that the config names exists, once release/manuals has written the pages and the completions.
func TestNamedFilesExist(t *testing.T) {
	c := readConfig(t)
	require.Len(t, c.Before.Hooks, 1)
	hook := strings.Replace(c.Before.Hooks[0], "{{ .CommitTimestamp }}", "1767323045", 1)
	run(t, strings.Fields(hook)...)
	pages, err := filepath.Glob("../bin/release/man/fdbelect*.1.gz")
	require.NoError(t, err)
	require.Greater(t, len(pages), 30)

	var named []string
	for _, file := range c.Archives[0].Files {
		named = append(named, file.Src)
	}
	for _, content := range c.Nfpms[0].Contents {
		if content.Type != "dir" {
			named = append(named, content.Src)
		}
	}
	for _, pattern := range named {
		found, err := filepath.Glob(filepath.Join("..", filepath.FromSlash(pattern)))
		require.NoError(t, err)
		require.NotEmpty(t, found, pattern)
	}
	scripts := c.Nfpms[0].Scripts
	for _, script := range []string{filepath.Join("dist", c.Sboms[0].Cmd), scripts.PostInstall, scripts.PreRemove, scripts.PostRemove} {
		file, err := os.Stat(filepath.Join("..", script))
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o111), file.Mode()&0o111, script)
	}
	for _, completion := range []string{"fdbelect.bash", "fdbelect.fish", "fdbelect.ps1", "_fdbelect"} {
		text, err := os.ReadFile("../bin/release/completions/" + completion)
		require.NoError(t, err)
		require.Contains(t, string(text), "fdbelect")
	}
}

// A binary that is built with the linker flags of the config says the version of the tag. The other flags would
// only compile everything again.
func TestBinarySaysItsVersion(t *testing.T) {
	b := readConfig(t).Builds[0]
	binary := filepath.Join(t.TempDir(), "fdbelect")
	ldflags := strings.ReplaceAll(strings.Join(b.Ldflags, " "), "{{ .Version }}", "1.2.3-rc.1")
	run(t, "go", "build", "-o", binary, "-ldflags", ldflags, b.Main)
	require.Equal(t, "fdbelect v1.2.3-rc.1 (github.com/fdbelection/fdbelection)\n", run(t, binary, "--version"))
	require.Contains(t, run(t, binary, "version", "--output", "json"), `"version": "v1.2.3-rc.1"`)
	store := "file:" + filepath.Join(t.TempDir(), "election.db")
	run(t, binary, "init", "--store", store)
	require.Contains(t, run(t, binary, "doctor", "--store", store), "fdbelect v1.2.3-rc.1,")
}

// run runs a command at the top of the tree, in the workspace, and returns what it prints.
func run(t *testing.T, command ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
	cmd.Dir, cmd.Env = "..", append(os.Environ(), "GOWORK=")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	output, err := cmd.Output()
	require.NoError(t, err, "%s\n%s", output, stderr.String())
	return string(output)
}
