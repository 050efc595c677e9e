package resolver

import (
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

func newTestResolver(t *testing.T, text string) (*Resolver, string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "resolv.conf")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	none := func(string) (string, error) { return "", exec.ErrNotFound }
	return &Resolver{File: file, LookPath: none}, file
}

func wantFile(t *testing.T, file, want string) {
	t.Helper()
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("resolv.conf = %q, want %q", got, want)
	}
}

func set(t *testing.T, r *Resolver, iface, server string) {
	t.Helper()
	if err := r.Set(t.Context(), iface, []netip.Addr{netip.MustParseAddr(server)}); err != nil {
		t.Fatal(err)
	}
}

func unset(t *testing.T, r *Resolver, iface string) {
	t.Helper()
	if err := r.Unset(t.Context(), iface); err != nil {
		t.Fatal(err)
	}
}

func TestFileIsReplacedAndRestored(t *testing.T) {
	r, file := newTestResolver(t, "nameserver 192.0.2.1\n")
	set(t, r, "l2tp1-1", "10.0.0.1")
	wantFile(t, file, "# set for l2tp1-1\nnameserver 10.0.0.1\n")
	unset(t, r, "l2tp1-1")
	wantFile(t, file, "nameserver 192.0.2.1\n")
}

func TestHandOff(t *testing.T) {
	r, untouched := newTestResolver(t, "nameserver 192.0.2.1\n")
	r.HandOff = filepath.Join(t.TempDir(), "name-servers")
	set(t, r, "b", "10.0.0.2")
	set(t, r, "a", "10.0.0.1")
	set(t, r, "b", "2001:db8::53")
	wantFile(t, r.HandOff, "# a\nnameserver 10.0.0.1\n# b\nnameserver 2001:db8::53\n")
	unset(t, r, "a")
	wantFile(t, r.HandOff, "# b\nnameserver 2001:db8::53\n")
	unset(t, r, "b")
	wantFile(t, r.HandOff, "")
	wantFile(t, untouched, "nameserver 192.0.2.1\n")
}

func TestTwoInterfacesRestoreInAnyOrder(t *testing.T) {
	for _, order := range [][]string{{"a", "b"}, {"b", "a"}} {
		r, file := newTestResolver(t, "before\n")
		set(t, r, "a", "10.0.0.1")
		set(t, r, "b", "10.0.0.2")
		for _, iface := range order {
			unset(t, r, iface)
		}
		wantFile(t, file, "before\n")
	}
}

func TestFileWrittenBySomebodyElseStays(t *testing.T) {
	r, file := newTestResolver(t, "before\n")
	set(t, r, "a", "10.0.0.1")
	if err := os.WriteFile(file, []byte("theirs\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	unset(t, r, "a")
	wantFile(t, file, "theirs\n")
}

// TestOneInterfaceSetTwice: the userspace data plane has one for all sessions.
func TestOneInterfaceSetTwice(t *testing.T) {
	r, file := newTestResolver(t, "before\n")
	set(t, r, "culvert0", "10.0.0.1")
	set(t, r, "culvert0", "10.0.0.2")
	wantFile(t, file, "# set for culvert0\nnameserver 10.0.0.2\n")
	unset(t, r, "culvert0")
	unset(t, r, "culvert0")
	wantFile(t, file, "before\n")
}

func TestFileThatWasNotThereIsRemoved(t *testing.T) {
	r, file := newTestResolver(t, "")
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	set(t, r, "a", "10.0.0.1")
	unset(t, r, "a")
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Errorf("resolv.conf is there: %v", err)
	}
}

// A process that was killed cannot put back what it replaced: its successor does, for an
// interface that it takes over and for one that it does not.
func TestFileOfAProcessThatWasKilled(t *testing.T) {
	for name, test := range map[string]struct {
		there bool // was there a file before
		again []string
		last  string
	}{
		"taken over":         {true, []string{"b", "a"}, "a"},
		"in the other order": {true, []string{"a", "b"}, "b"},
		"not taken over":     {true, nil, "b"},
		"there was no file":  {false, []string{"b"}, "b"},
		"neither":            {false, nil, "b"},
	} {
		t.Run(name, func(t *testing.T) {
			dead, file := newTestResolver(t, "before\n")
			if !test.there {
				os.Remove(file)
			}
			set(t, dead, "a", "10.0.0.1")
			set(t, dead, "b", "10.0.0.2")
			r := &Resolver{File: file, LookPath: dead.LookPath}
			for _, iface := range test.again {
				set(t, r, iface, "10.0.0.3")
			}
			unset(t, r, "a")
			if test.last == "b" && len(test.again) > 0 {
				wantFile(t, file, "# set for b\nnameserver 10.0.0.3\n")
			}
			unset(t, r, "b")
			if test.there {
				wantFile(t, file, "before\n")
			}
			left, err := os.ReadDir(filepath.Dir(file))
			if there := len(left) == 1; err != nil || there != test.there || len(left) > 1 {
				t.Errorf("files that are left: %v, %v", left, err)
			}
		})
	}
}

// What an earlier version has left, of which nobody knows what was there before, stays.
func TestFileOfWhichNothingIsKept(t *testing.T) {
	const left = "# set for a\nnameserver 10.0.0.1\n"
	r, file := newTestResolver(t, left)
	set(t, r, "b", "10.0.0.2")
	unset(t, r, "b")
	wantFile(t, file, left)
	unset(t, r, "a")
	wantFile(t, file, left)
}
