package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "culvert/"

// A source is one Go file that is not a test.
type source struct {
	path    string // from the module's root
	pkg     string // its package's folder
	file    *ast.File
	imports []string
}

// leaves are the packages that import no other of ours.
var leaves = []string{"l2tp", "ppp", "radius", "kernel", "api"}

// cores have no I/O, no clock and no concurrency.
var cores = []string{"l2tp", "ppp"}

// barred is what a core must not import. net/netip is values only.
var barred = []string{"net", "os", "sync", "context", "log", "log/slog", "syscall", "os/exec"}

// clocks are what a core must not read: now is an argument.
var clocks = []string{"Now", "Since", "Until", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick", "Sleep"}

// mayImport lists, for the packages of internal and cmd, which packages of ours
// they may import. A new edge is a decision: it is added here.
var mayImport = map[string][]string{
	"api/apiconnect":            {"api"},
	"internal/arch":             {},
	"internal/commit":           {"api", "internal/config", "internal/event", "internal/journal", "internal/management", "internal/schema"},
	"internal/schema":           {"api"},
	"internal/schema/reference": {"internal/schema"},
	"internal/pool":             {"internal/schema"},
	"internal/config":           {"api", "internal/pool", "internal/schema"},
	"internal/resolver":         {},
	"internal/logging":          {},
	"internal/service":          {},
	"internal/buildinfo":        {},
	"internal/journal":          {},
	"internal/event":            {"api", "internal/journal"},
	"internal/dataplane":        {"l2tp", "kernel"},
	"internal/trace":            {"l2tp", "ppp", "internal/logging", "internal/schema"},
	"internal/management":       {"api", "api/apiconnect", "kernel", "l2tp", "internal/config", "internal/event", "internal/schema", "internal/trace"},
	"internal/shell":            {"api", "api/apiconnect", "internal/importer", "internal/resolver", "internal/schema"},
	"internal/engine":           {"api", "l2tp", "ppp", "internal/config", "internal/dataplane", "internal/event", "internal/journal", "internal/management", "internal/pool", "internal/schema", "internal/trace"},
	"cmd/culvertd":              {"api", "kernel", "internal/buildinfo", "internal/commit", "internal/config", "internal/dataplane", "internal/engine", "internal/event", "internal/journal", "internal/keeper", "internal/management", "internal/metrics", "internal/pool", "internal/resolver", "internal/trace", "internal/logging", "internal/schema", "internal/service"},
	"internal/metrics":          {"api", "internal/config", "internal/engine", "internal/event"},
	"internal/importer":         {"api", "internal/config", "internal/schema"},
	"cmd/l2tpconfig":            {"api", "internal/shell"},
	"internal/chart":            {},
	"internal/bench":            {"kernel", "l2tp", "ppp", "internal/chart"},
	"cmd/culvert-bench":         {"internal/bench", "internal/buildinfo", "l2tp", "ppp"},
	"cmd/culvert-keeper":        {"internal/buildinfo", "internal/keeper", "internal/service"},
}

// systemImports are for package kernel alone.
func systemImport(path string) bool {
	return path == "golang.org/x/sys/unix" || strings.HasPrefix(path, "github.com/mdlayher/") ||
		strings.HasPrefix(path, "github.com/vishvananda/")
}

func TestImportDirection(t *testing.T) {
	for _, s := range sources(t) {
		if strings.HasPrefix(s.pkg, "test/") || isTestSupport(s.pkg) {
			continue
		}
		for _, path := range s.imports {
			ours, ok := strings.CutPrefix(path, module)
			if !ok {
				continue
			}
			switch allowed, listed := mayImport[s.pkg]; {
			case slices.Contains(leaves, s.pkg):
				t.Errorf("%s imports %s: %s is a leaf", s.path, path, s.pkg)
			case !listed:
				t.Errorf("%s imports %s: list package %s in mayImport", s.path, path, s.pkg)
			case !slices.Contains(allowed, ours):
				t.Errorf("%s imports %s, which mayImport does not allow", s.path, path)
			}
		}
	}
}

// isTestSupport tells packages that only tests import: they may import what they test.
func isTestSupport(pkg string) bool {
	return strings.HasSuffix(pkg, "test")
}

func TestOnlyKernelImportsTheSystem(t *testing.T) {
	for _, s := range sources(t) {
		for _, path := range s.imports {
			if systemImport(path) && s.pkg != "kernel" && !strings.HasPrefix(s.pkg, "test/") &&
				!isTestSupport(s.pkg) {
				t.Errorf("%s imports %s: only package kernel may", s.path, path)
			}
		}
	}
}

func TestCoresArePure(t *testing.T) {
	for _, s := range sources(t) {
		if !slices.Contains(cores, s.pkg) {
			continue
		}
		for _, path := range s.imports {
			if slices.Contains(barred, path) {
				t.Errorf("%s imports %s", s.path, path)
			}
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				t.Errorf("%s starts a goroutine", s.path)
			case *ast.SelectorExpr:
				if x, ok := n.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains(clocks, n.Sel.Name) {
					t.Errorf("%s uses time.%s: now is an argument", s.path, n.Sel.Name)
				}
			}
			return true
		})
	}
}

// TestPackagesAreDocumented: one file of a package, and that is doc.go (or main.go), has
// the package comment.
func TestPackagesAreDocumented(t *testing.T) {
	documented := make(map[string][]string)
	for _, s := range sources(t) {
		if _, seen := documented[s.pkg]; !seen {
			documented[s.pkg] = nil
		}
		if s.file.Doc != nil && !ast.IsGenerated(s.file) {
			documented[s.pkg] = append(documented[s.pkg], filepath.Base(s.path))
		}
	}
	for pkg, files := range documented {
		if pkg == "api/apiconnect" {
			continue // generated
		}
		if len(files) != 1 || files[0] != "doc.go" && files[0] != "main.go" {
			t.Errorf("package %s: package comments in %q, want one in doc.go or main.go", pkg, files)
		}
	}
}

// TestSizes holds the sizes of docs/style.md: files of 500 lines, lines of 120 columns at most.
func TestSizes(t *testing.T) {
	for _, s := range sources(t) {
		if ast.IsGenerated(s.file) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root(t), s.path))
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(string(text), "\n")
		if len(lines) > 501 {
			t.Errorf("%s has %d lines, want at most 500", s.path, len(lines)-1)
		}
		for i, line := range lines {
			if width := len([]rune(strings.ReplaceAll(line, "\t", "    "))); width > 120 {
				t.Errorf("%s:%d is %d columns wide, want at most 120", s.path, i+1, width)
			}
		}
	}
}

// sources parses every Go file of the module that is not a test.
func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	set := token.NewFileSet()
	err := filepath.WalkDir(root(t), func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "build" || d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".")) &&
			path != root(t):
			return filepath.SkipDir
		case !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		f, err := parser.ParseFile(set, path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root(t), path)
		if err != nil {
			return err
		}
		s := source{path: name, pkg: filepath.ToSlash(filepath.Dir(name)), file: f}
		for _, i := range f.Imports {
			imported, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				return err
			}
			s.imports = append(s.imports, imported)
		}
		all = append(all, s)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 50 {
		t.Fatalf("%d sources found: the walk is wrong", len(all))
	}
	return all
}

// root is the module's folder.
func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}
