package service

import (
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// fewVariable has this program, started by TestRaiseOpenFiles, raise its limit.
const fewVariable = "CULVERT_TEST_OPEN_FILES"

func TestMain(m *testing.M) {
	if os.Getenv(fewVariable) == "" {
		os.Exit(m.Run())
	}
	fmt.Println(RaiseOpenFiles(slog.New(slog.NewTextHandler(os.Stderr, nil))))
}

func TestRaiseOpenFiles(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
	const few, nobody = 4096, 65534
	raised := fmt.Sprintln(min(enoughOpenFiles, kernelOpenFiles()))
	low := fmt.Sprintln(few)
	if !mayRaise(t) {
		raised = low // it is so in a container
	}
	if got, _ := raisedBy(t, 0, few); got != raised {
		t.Errorf("root: the limit is %s, want %s", got, raised)
	}
	got, told := raisedBy(t, nobody, few)
	if got != low {
		t.Errorf("another user: the limit is %s, want %s", got, low)
	}
	if want := `few files may be open at once" limit=4096`; !strings.Contains(told, want) {
		t.Errorf("another user: it says %q, want %q", told, want)
	}
}

// mayRaise reports whether this process has CAP_SYS_RESOURCE.
func mayRaise(t *testing.T) bool {
	t.Helper()
	const capSysResource = 24
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), "CapEff:")
	var mask uint64
	if _, err := fmt.Sscanf(after, "%x", &mask); err != nil {
		t.Fatal(err)
	}
	return mask&(1<<capSysResource) != 0
}

// raisedBy runs this program as a user whom a shell allows few open files. It returns the limit then,
// and what is logged.
func raisedBy(t *testing.T, uid, few int) (limit, told string) {
	t.Helper()
	program, err := os.Open("/proc/self/exe") // others may not find it by its path
	if err != nil {
		t.Fatal(err)
	}
	defer program.Close()
	cmd := exec.Command("sh", "-c", fmt.Sprintf("ulimit -n %d && exec setpriv --reuid %d --clear-groups /proc/self/fd/3", few, uid))
	cmd.Env = append(os.Environ(), fewVariable+"=1")
	cmd.ExtraFiles = []*os.File{program}
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	return stdout.String(), stderr.String()
}
