package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestModuleFilesInOrder(t *testing.T) {
	dir := t.TempDir()
	dep := "net/9p.ko: net/core.ko fs/netfs.ko\nnet/core.ko: fs/netfs.ko\nfs/netfs.ko:\nx/tar.ko.xz:\n"
	if err := os.WriteFile(filepath.Join(dir, "modules.dep"), []byte(dep), 0o644); err != nil {
		t.Fatal(err)
	}
	got, err := moduleFiles(dir, []string{"9p", "built-in", "netfs", "tar"})
	want := []string{dir + "/fs/netfs.ko", dir + "/net/core.ko", dir + "/net/9p.ko", dir + "/x/tar.ko.xz"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
}

func TestArchiveIsCpio(t *testing.T) {
	if _, err := exec.LookPath("cpio"); err != nil {
		t.Skip("no cpio to read it with")
	}
	var a archive
	a.add("dir", 0o40755, nil)
	a.add("dir/file", 0o100644, []byte("hello"))
	a.add("TRAILER!!!", 0, nil)
	cmd := exec.Command("cpio", "-i", "-d", "--quiet")
	cmd.Dir, cmd.Stdin = t.TempDir(), &a.buf
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("cpio: %v: %s", err, out)
	}
	if b, err := os.ReadFile(filepath.Join(cmd.Dir, "dir/file")); err != nil || string(b) != "hello" {
		t.Errorf("read back %q, %v", b, err)
	}
}

func TestShares(t *testing.T) {
	work := t.TempDir()
	module := filepath.Join(work, "module")
	for _, dir := range []string{"module/pkg", "go-build/b001", "cover"} {
		if err := os.MkdirAll(filepath.Join(work, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(module, "go.mod"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	// As "go test -exec" calls, with an output in the module itself.
	list := shares(filepath.Join(module, "pkg"), []string{
		work + "/go-build/b001/pkg.test", "-test.testlogfile=" + work + "/go-build/b001/testlog.txt",
		"-test.gocoverdir=" + work + "/cover", "-test.v=true", "-test.outputdir=" + module,
		"/usr/bin/env", "/dev/null",
	}, nil)
	var got []string
	for _, s := range list {
		got = append(got, strings.TrimPrefix(s.Path, work+"/"))
	}
	if want := []string{"module", "cover", "go-build/b001"}; !slices.Equal(got, want) {
		t.Errorf("shared %q, want %q", got, want)
	}
}

func TestCommandLineErrors(t *testing.T) {
	for _, args := range [][]string{{}, {"-net", "bridge", "true"}, {"-no-such-flag"}} {
		if _, err := parseFlags(args, io.Discard); err == nil {
			t.Errorf("%q is accepted", args)
		}
	}
}
