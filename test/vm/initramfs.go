package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// bootModules are loaded by process 1 before there is a root file system.
var bootModules = []string{"virtio_pci", "9pnet_virtio", "9p", "overlay", "virtio_console"}

// initramfs packs this binary as /init, the boot modules and the job.
func initramfs(root, version string, j job) ([]byte, error) {
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		return nil, fmt.Errorf("reading own binary: %w", err)
	}
	conf, err := json.Marshal(j)
	if err != nil {
		return nil, err
	}
	var a archive
	for _, dir := range []string{"dev", "proc", "sys", "modules", "lower", "rw", "root"} {
		a.add(dir, 0o40755, nil)
	}
	a.add("init", 0o100755, self)
	a.add(strings.TrimPrefix(jobFile, "/"), 0o100644, conf)
	files, err := moduleFiles(filepath.Join(root, "lib/modules", version), bootModules)
	if err != nil {
		return nil, err
	}
	for i, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("packing the initramfs: %w", err)
		}
		a.add(fmt.Sprintf("modules/%02d-%s", i, path.Base(file)), 0o100644, b)
	}
	a.add("TRAILER!!!", 0, nil)
	return a.buf.Bytes(), nil
}

// moduleFiles returns the files of the named modules, each after those that it
// needs. Names that are not found are built in.
func moduleFiles(dir string, names []string) ([]string, error) {
	f, err := os.Open(filepath.Join(dir, "modules.dep"))
	if err != nil {
		return nil, fmt.Errorf("reading module dependencies: %w", err)
	}
	defer f.Close()
	needs, err := parseModulesDep(f)
	if err != nil {
		return nil, err
	}
	var files []string
	seen := make(map[string]bool)
	for _, name := range names {
		list := needs[name]
		for i := len(list) - 1; i >= 0; i-- { // the deepest dependency is last
			if !seen[list[i]] {
				seen[list[i]] = true
				files = append(files, filepath.Join(dir, list[i]))
			}
		}
	}
	return files, nil
}

// parseModulesDep reads lines of "FILE: FILE...", keyed by module name.
func parseModulesDep(r io.Reader) (map[string][]string, error) {
	needs := make(map[string][]string)
	for s := bufio.NewScanner(r); ; {
		if !s.Scan() {
			return needs, s.Err()
		}
		file, deps, _ := strings.Cut(s.Text(), ":")
		name, _, _ := strings.Cut(path.Base(file), ".ko")
		needs[name] = append([]string{file}, strings.Fields(deps)...)
	}
}

// An archive is a cpio archive in the kernel's "newc" form.
type archive struct {
	buf   bytes.Buffer
	inode int
}

func (a *archive) add(name string, mode int, data []byte) {
	a.inode++
	fmt.Fprintf(&a.buf, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X",
		a.inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name)+1, 0)
	a.buf.WriteString(name + "\x00")
	a.pad()
	a.buf.Write(data)
	a.pad()
}

func (a *archive) pad() {
	for a.buf.Len()%4 != 0 {
		a.buf.WriteByte(0)
	}
}
