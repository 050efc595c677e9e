package resolver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
)

// A Resolver sets and unsets the name servers of interfaces. The zero value
// uses the host's files. It may be used by many goroutines.
type Resolver struct {
	// File is the resolver configuration, default /etc/resolv.conf.
	File string
	// HandOff is a file in which another process, who may change the host's
	// configuration, finds the servers of all interfaces; empty: this one does it.
	HandOff string
	// LookPath finds programs, default exec.LookPath.
	LookPath func(name string) (string, error)

	mu    sync.Mutex
	saved map[string]replaced // by interface, where the file was replaced
	// handed are the servers that were handed over, by interface.
	handed map[string][]netip.Addr
}

// A replaced is what stood in the file before, and what we wrote.
type replaced struct{ before, after []byte }

// Set makes the host ask servers, which an interface leads to.
func (r *Resolver) Set(ctx context.Context, iface string, servers []netip.Addr) error {
	if path, err := r.lookPath("resolvectl"); err == nil && resolvedRuns() {
		args := append([]string{"dns", iface}, texts(servers)...)
		return errors.Join(
			run(exec.CommandContext(ctx, path, args...)),
			run(exec.CommandContext(ctx, path, "domain", iface, "~.")),
		)
	}
	if r.HandOff != "" {
		return r.handOff(iface, servers)
	}
	if path, err := r.lookPath("resolvconf"); err == nil {
		cmd := exec.CommandContext(ctx, path, "-a", iface)
		cmd.Stdin = bytes.NewReader(lines(servers))
		return run(cmd)
	}
	return r.replace(iface, servers)
}

// Unset takes back what Set did for an interface.
func (r *Resolver) Unset(ctx context.Context, iface string) error {
	if path, err := r.lookPath("resolvectl"); err == nil && resolvedRuns() {
		// What resolved had is gone if the interface is, which is no error.
		_ = run(exec.CommandContext(ctx, path, "revert", iface))
		return nil
	}
	if r.HandOff != "" {
		return r.handOff(iface, nil)
	}
	if path, err := r.lookPath("resolvconf"); err == nil {
		return run(exec.CommandContext(ctx, path, "-d", iface))
	}
	return r.restore(iface)
}

func (r *Resolver) lookPath(name string) (string, error) {
	if r.LookPath != nil {
		return r.LookPath(name)
	}
	return exec.LookPath(name)
}

// resolvedRuns reports whether systemd-resolved answers on this host.
func resolvedRuns() bool {
	_, err := os.Stat("/run/systemd/resolve/stub-resolv.conf")
	return err == nil
}

func (r *Resolver) file() string {
	if r.File != "" {
		return r.File
	}
	return "/etc/resolv.conf"
}

// replace writes the servers over the file.
func (r *Resolver) replace(iface string, servers []netip.Addr) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.replaceBy(iface, append([]byte(mark+iface+"\n"), lines(servers)...)); err != nil {
		return fmt.Errorf("setting name servers of %s: %w", iface, err)
	}
	return nil
}

func (r *Resolver) replaceBy(iface string, after []byte) error {
	before, err := os.ReadFile(r.file())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if len(r.saved) == 0 {
		if before, err = r.before(before); err != nil {
			return err
		}
		if err := r.keep(before); err != nil {
			return err
		}
	}
	if err := r.write(after); err != nil {
		return err
	}
	if r.saved == nil {
		r.saved = make(map[string]replaced)
	}
	// Sessions of the userspace data plane share one interface.
	if first, ok := r.saved[iface]; ok && bytes.Equal(before, first.after) {
		before = first.before
	}
	r.saved[iface] = replaced{before, after}
	return nil
}

// restore writes back what was in the file, unless somebody else has written
// it meanwhile. If another interface of ours has, it gets to restore the older text.
func (r *Resolver) restore(iface string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.restoreFor(iface); err != nil {
		return fmt.Errorf("restoring name servers: %w", err)
	}
	return nil
}

func (r *Resolver) restoreFor(iface string) error {
	mine, ok := r.saved[iface]
	if !ok {
		return r.restoreKept(iface)
	}
	delete(r.saved, iface)
	for other, theirs := range r.saved {
		if bytes.Equal(theirs.before, mine.after) {
			r.saved[other] = replaced{mine.before, theirs.after}
			return nil
		}
	}
	now, err := os.ReadFile(r.file())
	if err != nil || !bytes.Equal(now, mine.after) {
		if len(r.saved) == 0 {
			return r.forget()
		}
		return nil
	}
	return r.putBack(mine.before)
}

// run runs a command; its error carries what the command said.
func run(cmd *exec.Cmd) error {
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, bytes.TrimSpace(out))
	}
	return nil
}

// lines is the servers in the form of resolv.conf.
func lines(servers []netip.Addr) []byte {
	var b []byte
	for _, s := range servers {
		b = fmt.Appendf(b, "nameserver %s\n", s)
	}
	return b
}

func texts(servers []netip.Addr) []string {
	var t []string
	for _, s := range servers {
		t = append(t, s.String())
	}
	return t
}
