package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Everything that decides what is in the root file system is in recipe;
// its hash names the cached copy, so that a change here makes a new one.
var recipe = struct {
	suite    string
	packages []string
	excluded []string // paths that dpkg does not unpack: a third of the size
}{
	suite: "bookworm",
	packages: []string{
		"linux-image-amd64", "linux-image-6.12-amd64", "kmod", "systemd-sysv", "udev",
		"iproute2", "iputils-ping", "ethtool", "nftables", "procps", "psmisc", "strace",
		"xl2tpd", "ppp", "l2tpns", "freeradius", "freeradius-utils",
		"tshark", "tcpdump", "iperf3", "netcat-openbsd", "busybox-static",
	},
	excluded: []string{
		"/lib/modules/*/kernel/sound/*",
		"/lib/modules/*/kernel/drivers/gpu/*",
		"/lib/modules/*/kernel/drivers/media/*",
		"/lib/modules/*/kernel/drivers/staging/*",
		"/lib/modules/*/kernel/drivers/infiniband/*",
		"/lib/modules/*/kernel/drivers/iio/*",
		"/lib/modules/*/kernel/drivers/scsi/*",
		"/lib/modules/*/kernel/drivers/usb/*",
		"/lib/modules/*/kernel/drivers/net/wireless/*",
		"/lib/modules/*/kernel/drivers/net/ethernet/*",
		"/usr/share/doc/*",
		"/usr/share/man/*",
		"/usr/share/locale/*",
	},
}

// cacheDir returns the directory of everything kept between runs.
func cacheDir() (string, error) {
	if dir := os.Getenv("CULVERT_CACHE"); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("finding a cache directory: %w (set CULVERT_CACHE)", err)
	}
	return filepath.Join(dir, "culvert"), nil
}

// rootfs returns the directory of the guest's root file system, and makes it
// first where it is not there yet.
func rootfs(cache string) (string, error) {
	dir := filepath.Join(cache, "root-"+recipeHash())
	if isDir(dir) {
		now := time.Now()
		os.Chtimes(dir, now, now) // still in use; only root's cache can be marked so
		return dir, nil
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	unlock, err := lock(filepath.Join(cache, "lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	if isDir(dir) { // another process was faster
		return dir, nil
	}
	return dir, makeRootfs(cache, dir)
}

// makeRootfs builds beside dir and renames, so that dir is whole or absent.
func makeRootfs(cache, dir string) error {
	if os.Getuid() != 0 {
		return fmt.Errorf("making %s: needs root (or set CULVERT_CACHE to a cache "+
			"that root has filled)", dir)
	}
	mmdebstrap, err := exec.LookPath("mmdebstrap")
	if err != nil {
		return errors.New("making the root file system: no mmdebstrap: " +
			"apt-get install mmdebstrap")
	}
	fmt.Fprintf(os.Stderr, "vm: making %s (once; 1 to 3 minutes, about 250 MB of packages)\n", dir)
	temp, err := os.MkdirTemp(cache, "making-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	start := time.Now()
	root := filepath.Join(temp, "root")
	cmd := exec.Command(mmdebstrap, mmdebstrapArgs(root)...)
	// No kernel of the guest needs an initrd from its package: ours boots it.
	cmd.Env = append(os.Environ(), "INITRD=No", "LC_ALL=C.UTF-8")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("making the root file system: mmdebstrap: %w\n%s", err, out)
	}
	if err := os.Rename(root, dir); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "vm: made in %v\n", time.Since(start).Round(time.Second))
	return removeOldRoots(cache, dir)
}

func mmdebstrapArgs(root string) []string {
	args := []string{"--variant=minbase", "--include=" + strings.Join(recipe.packages, ",")}
	for _, path := range recipe.excluded {
		args = append(args, "--dpkgopt=path-exclude="+path)
	}
	return append(args, recipe.suite, root)
}

func recipeHash() string {
	sum := sha256.Sum256(fmt.Append(nil, mmdebstrapArgs("")))
	return hex.EncodeToString(sum[:6])
}

// removeOldRoots deletes what earlier recipes left, a gigabyte each, unless a
// machine may still run from it.
func removeOldRoots(cache, keep string) error {
	old, err := filepath.Glob(filepath.Join(cache, "root-*"))
	if err != nil {
		return err
	}
	for _, dir := range old {
		info, statErr := os.Stat(dir)
		if dir == keep || statErr != nil || time.Since(info.ModTime()) < 24*time.Hour {
			continue
		}
		err = errors.Join(err, os.RemoveAll(dir))
	}
	return err
}

// lock takes an exclusive lock on the file, waiting for it.
func lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		f.Close()
		return nil, fmt.Errorf("locking %s: %w", path, err)
	}
	return func() { f.Close() }, nil
}

// kernelVersion returns the newest kernel in root whose version starts with
// the prefix, as 6.1 or 6.12.
func kernelVersion(root, prefix string) (string, error) {
	images, err := fs.Glob(os.DirFS(root), "boot/vmlinuz-"+prefix+".*")
	if err != nil {
		return "", err
	}
	if len(images) == 0 {
		return "", fmt.Errorf("looking for kernel %s: none in %s/boot", prefix, root)
	}
	return strings.TrimPrefix(slices.Max(images), "boot/vmlinuz-"), nil
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
