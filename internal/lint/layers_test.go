package lint

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// root is the top of the repository, as seen from this package.
const root = "../.."

const module = "github.com/fdbelection/fdbelection"

// layer is a folder with Go files, and the packages that they may import besides the
// standard library and the folder's own subfolders. A path that begins with @ is of this
// repository. A path that ends with /... stands for everything below it.
//
// Only shipped files count. Tests may import anything, since no package imports them.
type layer struct {
	folder  string
	imports string
}

// layers lists all folders, from the bottom up. A folder may import only folders that
// are above it in this list.
var layers = []layer{
	{".", ""}, // config and errors: the leaf that all others import
	{"internal/clock", "golang.org/x/sys/unix"},
	{"internal/funcname", ""},
	{"internal/gosource", ""},
	{"internal/goapi", "@/internal/gosource github.com/stretchr/testify/require"},
	{"internal/alloctest", ""},
	{"internal/longtest", ""},
	{"internal/testseed", "@/internal/longtest github.com/stretchr/testify/require"},
	{"internal/lint", ""},
	{"subspace", "@ github.com/google/uuid"},
	{"internal/golden", "@/subspace github.com/stretchr/testify/require"},

	// The contract of a store, its conformance suite, and the engines. The suites see the contract
	// only, so that they run on any engine.
	{"kv", "@"},
	{"kv/internal/client", "@ @/kv github.com/tidwall/btree"},
	{"kv/memkv", "@ @/internal/clock @/kv @/kv/internal/client github.com/tidwall/btree"},
	{"kv/filekv", "@ @/internal/clock @/kv @/kv/internal/client go.etcd.io/bbolt/... golang.org/x/sys/unix"},
	{"kv/kvtest", "@ @/internal/testseed @/kv @/subspace github.com/stretchr/testify/require"},
	{"internal/differential", "@/internal/testseed @/kv @/kv/kvtest github.com/stretchr/testify/require"},
	{"internal/suite", "@/internal/funcname @/kv @/subspace github.com/google/uuid github.com/stretchr/testify/require"},
	{"internal/engines", "@/internal/suite @/kv @/kv/filekv @/kv/kvtest @/kv/memkv github.com/stretchr/testify/require"},
	{"kv/fdbkv", "@ @/kv github.com/apple/foundationdb/bindings/go/src/fdb"},

	{"internal/below", "@/kv @/subspace"},

	// The protocol, and the loop that runs it.
	{"internal/record", "@ @/kv @/subspace"},
	{"internal/nested", "@ @/kv @/subspace"},
	{"election", "@ @/internal/clock @/internal/nested @/internal/record @/kv @/subspace github.com/google/uuid"},
	{"group", "@ @/election @/internal/nested @/internal/record @/kv @/subspace github.com/google/uuid"},
	{"internal/belief", "@ @/internal/clock @/kv"},
	{"internal/machine", "@ @/election @/internal/belief @/internal/clock @/kv github.com/google/uuid"},
	{"internal/balance", ""},
	{"internal/mirror", "@/election @/group @/internal/balance"},
	{"internal/membership", "@ @/election @/group @/internal/balance @/internal/belief @/internal/clock @/internal/machine @/internal/mirror @/kv github.com/google/uuid"},
	{"internal/membership/executor", "@/election @/group @/internal/membership @/kv github.com/google/uuid"},
	{"internal/electiontest", "@ @/election @/internal/suite @/kv @/subspace github.com/google/uuid github.com/stretchr/testify/require"},
	{"internal/grouptest", "@ @/election @/group @/internal/longtest @/internal/mirror @/internal/suite @/internal/testseed @/kv @/subspace " +
		"github.com/google/uuid github.com/stretchr/testify/require"},
	{"internal/executor", "@ @/election @/internal/machine @/kv"},
	{"internal/loop", "@ @/election @/internal/clock @/kv"},
	{"elector", "@ @/election @/internal/loop @/internal/clock @/internal/executor @/internal/machine @/kv github.com/google/uuid"},
	{"electorfake", "@ @/election @/elector @/internal/belief @/internal/clock @/kv @/kv/memkv @/subspace github.com/google/uuid"},
	{"group/member", "@ @/election @/elector @/group @/internal/balance @/internal/clock @/internal/loop @/internal/membership @/internal/membership/executor @/internal/mirror @/kv " +
		"github.com/google/uuid"},
	{"internal/membertest", "@/elector @/group @/group/member @/kv @/subspace github.com/stretchr/testify/require"},
	{"internal/electortest", "@ @/election @/elector @/internal/funcname @/kv @/subspace github.com/google/uuid github.com/stretchr/testify/require"},
	{"simulation", "@ @/election @/group @/internal/balance @/internal/belief @/internal/executor @/internal/machine @/internal/membership " +
		"@/internal/membership/executor @/kv @/kv/memkv @/subspace " +
		"github.com/anishathalye/porcupine github.com/google/uuid"},

	// What shows elections and groups to others.
	{"internal/groupview", "@ @/election @/group @/internal/balance @/internal/mirror @/kv github.com/google/uuid"},
	{"internal/overview", "@ @/election @/elector @/group @/internal/below @/internal/clock @/internal/groupview @/kv @/subspace"},
	{"monitor", "@ @/election @/elector @/group @/group/member @/internal/groupview @/internal/overview @/kv @/subspace " +
		"github.com/prometheus/client_golang/prometheus github.com/prometheus/client_model/go"},
	{"tracing", "@ @/election @/elector @/kv go.opentelemetry.io/otel/attribute go.opentelemetry.io/otel/codes " +
		"go.opentelemetry.io/otel/propagation go.opentelemetry.io/otel/semconv/v1.43.0 go.opentelemetry.io/otel/trace"},

	// The command. Its main packages are a few lines; everything else is below internal,
	// where it is tested.
	{"cmd/internal", "@ @/election @/elector @/group @/group/member @/internal/balance @/internal/mirror @/internal/belief @/internal/below @/internal/clock @/internal/machine @/internal/groupview @/internal/overview @/internal/record @/kv @/kv/filekv @/kv/memkv @/monitor @/simulation " +
		"@/subspace github.com/google/uuid github.com/prometheus/client_golang/... github.com/rivo/uniseg github.com/schollz/progressbar/v3 github.com/spf13/cobra/... " +
		"github.com/spf13/pflag go.yaml.in/yaml/v3 golang.org/x/sys/... golang.org/x/term"},
	{"cmd/internal/clitest", "@ @/cmd/internal/... @/election @/elector @/group @/kv @/kv/memkv @/internal/clock @/subspace " +
		"github.com/google/uuid github.com/spf13/cobra github.com/stretchr/testify/require"},
	{"cmd/internal/processtest", "@ @/cmd/internal/... @/election @/group @/kv @/kv/filekv @/subspace " +
		"github.com/rogpeppe/go-internal/testscript github.com/stretchr/testify/require"},
	{"cmd/fdbelect", "@/cmd/internal/cli"},
	{"cmd/fdbelect-fdb", "@/cmd/internal/cli @/cmd/internal/session @/kv @/kv/fdbkv github.com/apple/foundationdb/bindings/go/src/fdb"},

	// The comparison with peers.
	{"bench/internal", "@ @/election @/elector @/internal/clock @/kv @/kv/filekv @/kv/memkv @/subspace github.com/google/uuid " +
		"github.com/HdrHistogram/hdrhistogram-go github.com/spf13/cobra go.etcd.io/etcd/... go.uber.org/zap google.golang.org/grpc/... " +
		"github.com/redis/rueidis/... github.com/jackc/pgx/v5/... github.com/go-zookeeper/zk github.com/prometheus/procfs " +
		"golang.org/x/sys/unix gonum.org/v1/plot/..."},
	{"bench/peers", "@/bench/internal/..."},
	{"bench/fdb", "@/bench/internal/... @/kv/fdbkv github.com/apple/foundationdb/bindings/go/src/fdb github.com/google/uuid"},
	{"bench", ""},
	{"nemesis", "@ @/election @/elector @/internal/clock @/kv @/kv/fdbkv @/kv/filekv @/subspace " +
		"github.com/anishathalye/porcupine github.com/google/uuid github.com/spf13/cobra golang.org/x/sys/unix"},
}

// seeded are the layers in which chance comes in through an option, so that a seed
// replays a run. They must not import a random source at all.
var seeded = []string{".", "subspace", "kv", "kv/internal/client", "election", "internal/balance", "internal/machine", "internal/executor", "elector"}

func TestLayers(t *testing.T) {
	imports := shipped(t, root)
	used := map[string]bool{}
	for _, folder := range slices.Sorted(maps.Keys(imports)) {
		at := layerOf(folder)
		if at < 0 {
			t.Errorf("%s has no layer: give it one in layers_test.go", folder)
			continue
		}
		used[layers[at].folder] = true
		for imported, file := range imports[folder] {
			if problem := judge(at, imported); problem != "" {
				t.Errorf("%s imports %s: %s", file, imported, problem)
			}
		}
	}
	for _, l := range layers {
		if !used[l.folder] {
			t.Errorf("layers_test.go names %s, which has no shipped Go file", l.folder)
		}
	}
}

// TestLayersAreOrdered checks the list itself: each layer imports only those above it.
func TestLayersAreOrdered(t *testing.T) {
	for at, l := range layers {
		for pattern := range strings.FieldsSeq(l.imports) {
			folder, ours := ourFolder(pattern)
			if !ours {
				continue
			}
			below := layerOf(folder)
			require.GreaterOrEqual(t, below, 0, "%s may import %s, which has no layer", l.folder, pattern)
			require.Less(t, below, at, "%s may import %s, which is not below it", l.folder, pattern)
		}
	}
}

// TestForbiddenImportsAreFound shows that the check can fail.
func TestForbiddenImportsAreFound(t *testing.T) {
	for _, c := range []struct{ folder, imported, problem string }{
		{"election", module + "/elector", "not in the list of its layer"},
		{"election", module + "/kv", ""},
		{"election", "math/rand/v2", "chance comes in through an option"},
		{"kv/memkv", "math/rand/v2", ""},
		{"kv/filekv", "go.etcd.io/bbolt/errors", ""},
		{"kv/filekv", "go.etcd.io/bbolts", "not in the list of its layer"},
		{"cmd/internal/cli", module + "/cmd/internal/other", ""},
		{"cmd/internal/cli", module + "/internal/electortest", "not in the list of its layer"},
		{".", module + "/kv", "not in the list of its layer"},
	} {
		problem := judge(layerOf(c.folder), c.imported)
		if c.problem == "" {
			require.Empty(t, problem, "%s imports %s", c.folder, c.imported)
		} else {
			require.Contains(t, problem, c.problem, "%s imports %s", c.folder, c.imported)
		}
	}
	require.Negative(t, layerOf("internal/unknown"))
}

// judge says what is wrong with an import of a layer, or nothing.
func judge(at int, imported string) string {
	l := layers[at]
	if strings.HasPrefix(imported, "math/rand") && slices.Contains(seeded, l.folder) {
		return "chance comes in through an option, so that a seed replays a run"
	}
	first, _, _ := strings.Cut(imported, "/")
	if !strings.Contains(first, ".") {
		return "" // the standard library
	}
	if folder, ours := ourFolder(strings.Replace(imported, module, "@", 1)); ours && l.folder != "." && layerOf(folder) == at {
		return ""
	}
	for pattern := range strings.FieldsSeq(l.imports) {
		pattern = strings.Replace(pattern, "@", module, 1)
		if below, all := strings.CutSuffix(pattern, "/..."); imported == below || all && strings.HasPrefix(imported, below+"/") {
			return ""
		}
	}
	return "not in the list of its layer in internal/lint/layers_test.go"
}

// ourFolder returns the folder of a pattern that begins with @.
func ourFolder(pattern string) (string, bool) {
	rest, ours := strings.CutPrefix(pattern, "@")
	return path.Clean("./" + rest), ours
}

// layerOf returns the index of the most specific layer of a folder, or -1.
func layerOf(folder string) int {
	best := -1
	for i, l := range layers {
		if folder != l.folder && (l.folder == "." || !strings.HasPrefix(folder, l.folder+"/")) {
			continue
		}
		// A subfolder belongs to the layer of its parent only if it is internal to it.
		if strings.HasPrefix(folder, l.folder+"/") && !strings.Contains(folder, "internal") {
			continue
		}
		if best < 0 || len(l.folder) > len(layers[best].folder) {
			best = i
		}
	}
	return best
}

// shipped returns what the shipped files of each folder import, each with a file that does.
func shipped(t *testing.T, top string) map[string]map[string]string {
	t.Helper()
	found := map[string]map[string]string{}
	require.NoError(t, filepath.WalkDir(top, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && name != top && skipped(entry.Name()):
			return fs.SkipDir
		case entry.IsDir(), !strings.HasSuffix(name, ".go"), strings.HasSuffix(name, "_test.go"):
			return nil
		}
		folder, err := filepath.Rel(top, filepath.Dir(name))
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		folder = filepath.ToSlash(folder)
		if found[folder] == nil {
			found[folder] = map[string]string{}
		}
		for _, spec := range file.Imports {
			found[folder][importPath(spec)] = filepath.ToSlash(name)
		}
		return nil
	}))
	return found
}

// skipped reports whether a folder has no shipped package of this project: integrations, interop,
// examples, browsertest and tools are proofs and pins, each a module of its own.
func skipped(name string) bool {
	return slices.Contains([]string{"testdata", "integrations", "interop", "examples", "browsertest", "tools", "bin"}, name) || strings.HasPrefix(name, ".")
}

func importPath(spec *ast.ImportSpec) string { return strings.Trim(spec.Path.Value, `"`) }
