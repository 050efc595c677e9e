package arch

import (
	"bufio"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A demand is one row of docs/conformance.md: what an RFC demands, where it is
// obeyed, and the test that shows it.
type demand struct {
	at     string   // file and line, for messages
	rfc    string   // "2661"
	says   string   // the second column
	files  []string // named in the third column
	verify string   // the last column
}

var (
	headingRFC = regexp.MustCompile(`^#+ .*RFC (\d+)`)
	codeSpan   = regexp.MustCompile("`([^`]+)`")
	testName   = regexp.MustCompile(`^(?:([\w/]+)\.)?((?:Test|Fuzz|Benchmark)\w+)(?:/(\S+))?$`)
	reason     = regexp.MustCompile(`^not .*, because \S`)
)

// TestConformanceNamesWhatExists: every file and test that the pages on conformance
// name is there, and no row is without a test or a reason.
func TestConformanceNamesWhatExists(t *testing.T) {
	tree := tests(t)
	for _, d := range demands(t) {
		for _, f := range d.files {
			if _, err := os.Stat(filepath.Join(root(t), f)); err != nil {
				t.Errorf("%s: file %s does not exist", d.at, f)
			}
		}
		found := 0
		for _, name := range codeSpans(d.verify) {
			if m := testName.FindStringSubmatch(name); m != nil {
				found++
				if !d.hasTest(tree, m[1], m[2], m[3]) {
					t.Errorf("%s: test %s does not exist", d.at, name)
				}
			}
		}
		if found == 0 && !reason.MatchString(d.verify) {
			t.Errorf("%s: %q: expected a test, or not ..., because ...", d.at, d.verify)
		}
	}
}

// hasTest finds a test in the folder given, or else in those of the row's files.
func (d demand) hasTest(tree map[string]string, folder, name, sub string) bool {
	folders := []string{folder}
	if folder == "" {
		folders = nil
		for _, f := range d.files {
			folders = append(folders, path.Dir(f))
		}
	}
	return slices.ContainsFunc(folders, func(dir string) bool {
		return strings.Contains(tree[dir], "\nfunc "+name+"(") &&
			(sub == "" || hasSubtest(tree, dir, sub))
	})
}

// hasSubtest finds a script of that name, or the name as a string, in a folder or below.
func hasSubtest(tree map[string]string, dir, sub string) bool {
	scripts, _ := filepath.Glob(filepath.Join("../..", dir, "testdata", sub+".*"))
	if len(scripts) > 0 {
		return true
	}
	for below, text := range tree {
		if (below == dir || strings.HasPrefix(below, dir+"/")) && strings.Contains(text, `"`+sub+`"`) {
			return true
		}
	}
	return false
}

// TestConformanceIsComplete: every MUST of the RFCs' sentences in testdata is in the
// quotation of a row, and what is quoted is there.
func TestConformanceIsComplete(t *testing.T) {
	all := demands(t)
	for _, rfc := range []string{"2661", "1661"} {
		sentences := readLines(t, "testdata/rfc"+rfc+"-musts.txt")
		var text string
		var begins []int
		for _, s := range sentences {
			begins = append(begins, len(text))
			_, s, _ = strings.Cut(s, ": ")
			text += plain(s) + " "
		}
		missing := make(map[int]bool) // where each MUST is
		for _, at := range regexp.MustCompile(`\bMUST\b`).FindAllStringIndex(text, -1) {
			missing[at[0]] = true
		}
		for _, d := range all {
			if d.rfc == rfc {
				d.strike(t, text, missing)
			}
		}
		for at := range missing {
			i, found := slices.BinarySearch(begins, at)
			if !found {
				i--
			}
			t.Errorf("RFC %s, %s: no row quotes this", rfc, sentences[i])
		}
	}
}

// strike takes out of missing what the row quotes.
func (d demand) strike(t *testing.T, text string, missing map[int]bool) {
	t.Helper()
	_, quoted, _ := strings.Cut(d.says, `"`)
	quoted = quoted[:max(strings.LastIndex(quoted, `"`), 0)]
	quoted = strings.ReplaceAll(quoted, `" or "`, "[...]")
	for piece := range strings.SplitSeq(quoted, "[...]") {
		piece = plain(piece)
		if !strings.Contains(piece, "MUST") {
			continue
		}
		places := regexp.MustCompile(piece).FindAllStringIndex(text, -1)
		if places == nil {
			t.Errorf("%s: the RFC does not say %q", d.at, piece)
		}
		for _, at := range places {
			maps.DeleteFunc(missing, func(i int, _ bool) bool { return at[0] <= i && i < at[1] })
		}
	}
}

// plain leaves letters and digits, and one blank between words.
func plain(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9')
	}), " ")
}

// demands reads the rows of all pages on conformance.
func demands(t *testing.T) []demand {
	t.Helper()
	pages, err := filepath.Glob(filepath.Join(root(t), "docs", "conformance*.md"))
	if err != nil || len(pages) == 0 {
		t.Fatalf("pages on conformance: %v, %v", pages, err)
	}
	var all []demand
	for _, page := range pages {
		rfc := ""
		for i, line := range readLines(t, page) {
			if m := headingRFC.FindStringSubmatch(line); m != nil {
				rfc = m[1]
			}
			if d, ok := row(line); ok {
				d.at, d.rfc = filepath.Base(page)+":"+strconv.Itoa(i+1), rfc
				all = append(all, d)
			}
		}
	}
	return all
}

// row reads one line of a table, unless it is the head or the rule below it.
func row(line string) (demand, bool) {
	cells := strings.Split(strings.Trim(line, "|"), "|")
	if !strings.HasPrefix(line, "|") || len(cells) != 4 || strings.HasPrefix(cells[0], "---") ||
		strings.TrimSpace(cells[0]) == "section" {
		return demand{}, false
	}
	return demand{
		says:   strings.TrimSpace(cells[1]),
		files:  codeSpans(cells[2]),
		verify: strings.TrimSpace(cells[3]),
	}, true
}

func codeSpans(s string) []string {
	var spans []string
	for _, m := range codeSpan.FindAllStringSubmatch(s, -1) {
		spans = append(spans, m[1])
	}
	return spans
}

// tests is the text of the test files, and of those that only tests use, by folder.
func tests(t *testing.T) map[string]string {
	t.Helper()
	tree := make(map[string]string)
	err := filepath.WalkDir(root(t), func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && file != root(t) && (strings.HasPrefix(d.Name(), ".") || d.Name() == "build") {
			return filepath.SkipDir
		}
		dir, err := filepath.Rel(root(t), filepath.Dir(file))
		if err != nil {
			return err
		}
		dir = filepath.ToSlash(dir)
		isSupport := isTestSupport(dir) && strings.HasSuffix(file, ".go")
		if !isSupport && !strings.HasSuffix(file, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(file)
		tree[dir] += "\n" + string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func readLines(t *testing.T, file string) []string {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var lines []string
	for s := bufio.NewScanner(f); s.Scan(); {
		lines = append(lines, s.Text())
	}
	return lines
}

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// TestLinksLeadSomewhere: what the pages' relative links lead to is there.
func TestLinksLeadSomewhere(t *testing.T) {
	pages, err := filepath.Glob(filepath.Join(root(t), "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	docs := filepath.Join(root(t), "docs")
	err = filepath.WalkDir(docs, func(file string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(file, ".md") {
			pages = append(pages, file)
		}
		return err
	})
	if err != nil || len(pages) < 5 {
		t.Fatalf("pages: %v, %v", pages, err)
	}
	for _, page := range pages {
		for i, line := range readLines(t, page) {
			for _, m := range link.FindAllStringSubmatch(line, -1) {
				to, _, _ := strings.Cut(m[1], "#")
				if to == "" || strings.Contains(to, ":") {
					continue
				}
				if _, err := os.Stat(filepath.Join(filepath.Dir(page), to)); err != nil {
					t.Errorf("%s:%d: link %s leads nowhere", page, i+1, m[1])
				}
			}
		}
	}
}
