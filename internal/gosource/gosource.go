// Package gosource reads packages of this project for tests that check their sources.
package gosource

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/importer"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"strings"
)

// Package is the output of `go list` for one package.
type Package struct {
	ImportPath string
	Dir        string
	GoFiles    []string
	Export     string // the file with its compiled types
}

// List compiles packages and returns them with all of their dependencies, by import path.
func List(ctx context.Context, paths ...string) (map[string]Package, error) {
	arguments := append([]string{"list", "-deps", "-export", "-json=ImportPath,Dir,GoFiles,Export"}, paths...)
	command := exec.CommandContext(ctx, "go", arguments...)
	var stderr strings.Builder
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w: %s", err, stderr.String())
	}
	packages := map[string]Package{}
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p Package
		err := decoder.Decode(&p)
		if errors.Is(err, io.EOF) {
			return packages, nil
		}
		if err != nil {
			return nil, err
		}
		packages[p.ImportPath] = p
	}
}

// Importer returns an importer for types.Config. All imports must be in packages.
func Importer(fset *token.FileSet, packages map[string]Package) types.Importer {
	lookup := func(path string) (io.ReadCloser, error) { return os.Open(packages[path].Export) }
	return importer.ForCompiler(fset, "gc", lookup)
}
