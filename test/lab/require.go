package lab

import (
	"os"
	"os/exec"
	"testing"
)

// kernelVariable set to 1 makes a missing kernel a failure instead of a skip.
const kernelVariable = "CULVERT_TEST_KERNEL"

// RequireKernel skips the test unless it runs as root on a kernel with L2TP
// and PPP. With CULVERT_TEST_KERNEL=1 it fails the test instead.
func RequireKernel(t testing.TB) {
	t.Helper()
	RequireRoot(t)
	if _, err := os.Stat("/dev/ppp"); err != nil {
		missing(t, "the kernel has no PPP: no /dev/ppp (modprobe ppp_generic)")
	}
	for _, module := range []string{"l2tp_netlink", "l2tp_ppp"} {
		if _, err := os.Stat("/sys/module/" + module); err != nil {
			missing(t, "the kernel has no L2TP: "+module+" is not loaded (modprobe "+module+")")
		}
	}
}

// RequireRoot skips the test unless it runs as root, who may make namespaces.
// With CULVERT_TEST_KERNEL=1 it fails the test instead.
func RequireRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		missing(t, "needs root to make network namespaces")
	}
	RequireProgram(t, "ip")
}

// RequireProgram skips the test unless the program is installed. With
// CULVERT_TEST_KERNEL=1 it fails the test instead.
func RequireProgram(t testing.TB, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		missing(t, "the program "+name+" is not installed")
	}
}

func missing(t testing.TB, what string) {
	t.Helper()
	if os.Getenv(kernelVariable) == "1" {
		t.Fatalf("%s=1, but %s", kernelVariable, what)
	}
	t.Skipf("%s (\"make test-vm\" runs this test in a virtual machine)", what)
}
