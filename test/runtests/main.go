// Command runtests runs compiled test binaries one after the other, each in
// the directory of its package, and ends with a summary.
//
// Usage:
//
//	runtests [-bin DIR] [-run RE] [-timeout D] package-directory[:RE]...
//
// RE after a directory is which tests of the package to run.
//
// The binary of ./internal/engine is DIR/engine.test, as "go test -c -o DIR/"
// names it. A package without a binary has no tests. With CULVERT_TEST_KERNEL=1
// a skipped test is a failure. It is made for the virtual machine, where there
// is no go command, and several packages share one boot.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

type options struct {
	bin, run, skip string
	timeout        time.Duration
}

func main() {
	var o options
	flag.StringVar(&o.bin, "bin", "build/test", "`directory` of the test binaries")
	flag.StringVar(&o.run, "run", "", "run only tests that match `regexp`")
	flag.StringVar(&o.skip, "skip", "", "do not run tests that match `regexp`")
	flag.DurationVar(&o.timeout, "timeout", 10*time.Minute, "`limit` of each package")
	flag.Parse()
	ok, err := runAll(os.Stdout, o, flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, "runtests:", err)
	}
	if !ok || err != nil {
		os.Exit(1)
	}
}

// A result is what became of one package's tests.
type result struct {
	dir                     string
	passed, failed, skipped int
	complaints              []string // lines about tests that did not pass
	took                    time.Duration
	err                     error
}

func (r *result) ok() bool {
	strict := os.Getenv("CULVERT_TEST_KERNEL") == "1"
	return r.err == nil && r.failed == 0 && !(strict && r.skipped > 0)
}

func runAll(w io.Writer, o options, dirs []string) (ok bool, err error) {
	if len(dirs) == 0 {
		return false, errors.New("reading the command line: no package directory")
	}
	bin, err := filepath.Abs(o.bin)
	if err != nil {
		return false, err
	}
	o.bin = bin
	var results []*result
	for _, dir := range dirs {
		o := o
		if path, run, ok := strings.Cut(dir, ":"); ok {
			dir, o.run = path, run
		}
		binary := filepath.Join(o.bin, filepath.Base(dir)+".test")
		if _, err := os.Stat(binary); err != nil {
			fmt.Fprintf(w, "=== %s has no tests\n", dir)
			continue
		}
		fmt.Fprintf(w, "=== %s\n", dir)
		results = append(results, runBinary(w, o, binary, dir))
	}
	return summarize(w, results), nil
}

func runBinary(w io.Writer, o options, binary, dir string) *result {
	r := &result{dir: dir}
	args := []string{"-test.v", "-test.timeout=" + o.timeout.String(), "-test.run=" + o.run}
	if o.skip != "" {
		args = append(args, "-test.skip="+o.skip)
	}
	cmd := exec.Command(binary, args...)
	cmd.Dir = dir
	pipe, out := io.Pipe()
	cmd.Stdout, cmd.Stderr = out, out
	start := time.Now()
	done := make(chan bool)
	go func() {
		r.read(io.TeeReader(pipe, w))
		close(done)
	}()
	r.err = cmd.Run()
	out.Close()
	<-done
	r.took = time.Since(start)
	return r
}

var verdict = regexp.MustCompile(`^\s*--- (PASS|FAIL|SKIP): `)

// read counts the tests, with their subtests, in the output of -test.v.
func (r *result) read(output io.Reader) {
	for lines := bufio.NewReader(output); ; {
		line, err := lines.ReadString('\n')
		if match := verdict.FindStringSubmatch(line); match != nil {
			r.count(match[1], strings.TrimSpace(line))
		}
		if err != nil {
			return
		}
	}
}

func (r *result) count(verdict, line string) {
	switch verdict {
	case "PASS":
		r.passed++
		return
	case "FAIL":
		r.failed++
	case "SKIP":
		r.skipped++
	}
	r.complaints = append(r.complaints, line)
}

func summarize(w io.Writer, results []*result) (ok bool) {
	ok = true
	fmt.Fprintln(w, "=== summary")
	for _, r := range results {
		word := "ok  "
		if !r.ok() {
			word, ok = "FAIL", false
		}
		fmt.Fprintf(w, "%s %-24s %4d passed %3d failed %3d skipped %8v", word, r.dir,
			r.passed, r.failed, r.skipped, r.took.Round(100*time.Millisecond))
		if r.err != nil {
			fmt.Fprintf(w, "  %v", r.err)
		}
		fmt.Fprintln(w)
		for _, line := range r.complaints {
			fmt.Fprintln(w, "    ", line)
		}
	}
	return ok
}
