package commit

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"culvert/api"
	"culvert/internal/management"
)

func (s *stage) write() error {
	_, err := s.Write(s.t.Context(), "alice", &api.WriteConfigRequest{})
	return err
}

func (s *stage) onDisk() string {
	s.t.Helper()
	b, err := os.ReadFile(s.options.File)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(b)
}

// What is written loads to what runs.
func TestWriteThenLoadIsNoChange(t *testing.T) {
	s := newStage(t, base)
	s.command("user create user_name=\"J. Doe\" user_password=\"a'b\"\nuser delete user_name=bob\n" +
		"tunnel create tunnel_name=three dest_ipaddr=192.0.2.3\nsession create tunnel_name=three")
	if err := s.write(); err != nil {
		t.Fatal(err)
	}
	res := s.load(&api.LoadConfigRequest{Source: fromFile()})
	if len(res.Changes) > 0 {
		t.Errorf("changes: %s", describe(res.Changes))
	}
	if r := s.revisions()[0]; r.Number != 2 || r.Author != "alice" || !r.Running {
		t.Errorf("newest revision: %v", r)
	}
	if err := s.write(); err != nil || len(s.revisions()) != 2 {
		t.Errorf("written again: %v, %d revisions", err, len(s.revisions()))
	}
}

func TestWriteKeepsModeOwnerAndLink(t *testing.T) {
	s := newStage(t, base)
	real := filepath.Join(t.TempDir(), "real.conf")
	if err := errors.Join(os.Rename(s.options.File, real), os.Symlink(real, s.options.File),
		os.Chmod(real, 0o640)); err != nil {
		t.Fatal(err)
	}
	root := os.Geteuid() == 0
	if root {
		if err := os.Chown(real, 7, 8); err != nil {
			t.Fatal(err)
		}
	}
	s.command("user delete user_name=bob")
	if err := s.write(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(real)
	if err != nil {
		t.Fatal(err)
	}
	if st := info.Sys().(*syscall.Stat_t); info.Mode() != 0o640 || root && (st.Uid != 7 || st.Gid != 8) {
		t.Errorf("mode %v, owner %d:%d", info.Mode(), st.Uid, st.Gid)
	}
	if strings.Contains(s.onDisk(), "bob") {
		t.Error("the file is as before")
	}
}

func TestWriteMakesAFile(t *testing.T) {
	s := newStage(t, base)
	s.options.File = filepath.Join(t.TempDir(), "etc", "culvertd.conf")
	s.start()
	if err := s.write(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(s.options.File); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

// What somebody has written into the file since it was read is never lost.
func TestWriteRefusesAnEditedFile(t *testing.T) {
	for name, edited := range map[string]string{
		"another user": base + "user create user_name=carol user_password=x\n",
		"a fault":      base + "user create\n",
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, base)
			s.command("user delete user_name=bob")
			s.edit(edited)
			err := s.write()
			if !errors.Is(err, management.ErrRefused) || !strings.Contains(err.Error(), "was changed since") {
				t.Errorf("written: %v", err)
			}
			if s.onDisk() != edited {
				t.Error("the file has changed")
			}
		})
	}
	t.Run("comments", func(t *testing.T) {
		s := newStage(t, base)
		s.command("user delete user_name=bob")
		s.edit("# by hand\n" + base)
		if err := s.write(); err != nil {
			t.Error(err)
		}
		want := "# by hand\n" + strings.Replace(base, "user create user_name=bob user_password=builder\n", "", 1)
		if got := s.onDisk(); got != want {
			t.Errorf("the file is\n%swant\n%s", got, want)
		}
	})
	t.Run("what runs", func(t *testing.T) {
		s := newStage(t, base)
		s.command("user create user_name=carol user_password=x")
		s.edit(base + "user create user_name=carol user_password=x\n")
		if err := s.write(); err != nil {
			t.Error(err)
		}
	})
	t.Run("what ran", func(t *testing.T) {
		s := newStage(t, base)
		s.loadText(base + "user create user_name=carol user_password=x\n")
		s.edit(base + "user create user_name=carol user_password=x\n")
		s.command("user delete user_name=bob")
		if err := s.write(); err != nil {
			t.Error(err)
		}
	})
	t.Run("loaded first", func(t *testing.T) {
		s := newStage(t, base)
		s.edit(base + "user create user_name=carol user_password=x\n")
		s.load(&api.LoadConfigRequest{Source: fromFile()})
		s.command("user delete user_name=bob")
		if err := s.write(); err != nil {
			t.Error(err)
		}
	})
}

// A file that cannot be written stays as it is, and nothing is left beside it.
func TestWriteFails(t *testing.T) {
	s := newStage(t, base)
	s.command("user delete user_name=bob")
	s.file = t.TempDir() // a folder in its place
	if err := s.write(); err == nil {
		t.Error("written in the place of a folder")
	}
	wantUntouched(t, s.options.File)
}

func wantUntouched(t *testing.T, path string) {
	t.Helper()
	if b, err := os.ReadFile(path); err != nil || string(b) != base {
		t.Errorf("the file has changed: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), halfFile)); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// TestWriteWithoutSpace writes in a process whose files can have no length: as on a
// full disk, the file is begun and cannot be finished.
func TestWriteWithoutSpace(t *testing.T) {
	const which = "CULVERT_TEST_WRITE"
	if path := os.Getenv(which); path != "" {
		if err := writeFile(path, []byte("new")); err != nil {
			fmt.Println("refused:", err)
		}
		return
	}
	path := filepath.Join(t.TempDir(), "culvertd.conf")
	if err := os.WriteFile(path, []byte(base), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-c", `ulimit -f 0; exec "$0" -test.run '^TestWriteWithoutSpace$'`,
		os.Args[0])
	cmd.Env = append(os.Environ(), which+"="+path)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "refused:") {
		t.Errorf("%v: %s", err, out)
	}
	wantUntouched(t, path)
}

// Whoever has his comments lost is told so, and why.
func TestWriteTellsThatCommentsAreLost(t *testing.T) {
	const pool = "pool create pool_name=p addresses=10.0.0.0/24\n"
	s := newStage(t, "# by hand\n"+pool+"pool create pool_name=q addresses=10.1.0.0/24\n"+
		"user create user_name=u user_password=x ip_pool_name=p\n"+
		"user modify user_name=u ip_pool_name=q\npool delete pool_name=p\n")
	s.command(pool + "user modify user_name=u ip_pool_name=p")
	res, err := s.Write(t.Context(), "alice", &api.WriteConfigRequest{})
	if err != nil {
		t.Fatal(err)
	}
	want := s.options.File + " was written anew, without its comments: " +
		"its statements depend on each other"
	if got := res.Warnings; len(got) != 1 || got[0] != want {
		t.Errorf("warnings %q, want %q", got, want)
	}
	if strings.Contains(s.onDisk(), "by hand") {
		t.Error("the comment is there")
	}
}
