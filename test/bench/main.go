package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run makes the page of what was measured, and prints how it is against the targets.
func run(args []string, out io.Writer) error {
	if len(args) != 2 {
		return errors.New("usage: bench RESULTS DIRECTORY")
	}
	r, err := read(args[0])
	if err != nil {
		return err
	}
	r.Conditions.addHost()
	if err := r.publish(args[1]); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s\n%s has the page\n", textOf(r.targets()), args[1])
	return err
}

// addHost adds what only the host of the machine knows.
func (c *Conditions) addHost() {
	c.Commit = strings.TrimSpace(outputOf("git", "describe", "--always", "--dirty", "--abbrev=12"))
	c.Go = runtime.Version()
	info, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(info)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.HasPrefix(name, "model name") {
			c.Host = fmt.Sprintf("%d of %s", runtime.NumCPU(), strings.TrimSpace(value))
			return
		}
	}
}

func outputOf(name string, args ...string) string {
	b, err := exec.Command(name, args...).Output()
	if err != nil {
		return "unknown"
	}
	return string(b)
}

// publish writes the results, the charts and the page into a directory.
func (r *Results) publish(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	errs := []error{r.write(filepath.Join(dir, "results.json"))}
	for name, text := range r.charts() {
		errs = append(errs, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	errs = append(errs, os.WriteFile(filepath.Join(dir, "README.md"), []byte(r.page()), 0o644))
	return errors.Join(errs...)
}
