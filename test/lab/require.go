package lab

import (
	"os"
	"os/exec"
	"testing"
)

// Two variables make what is missing a failure where it would be a skip; see
// docs/testing.md.
const (
	kernelVariable = "CULVERT_TEST_KERNEL" // =1: all is there, as in the virtual machine
	rootVariable   = "CULVERT_TEST_ROOT"   // =1: all but a kernel with L2TP and PPP
)

// RequireKernel skips the test unless it runs as root on a kernel with L2TP
// and PPP. With CULVERT_TEST_KERNEL=1 it fails the test instead.
func RequireKernel(t testing.TB) {
	t.Helper()
	RequireRoot(t)
	if _, err := os.Stat("/dev/ppp"); err != nil {
		missing(t, "the kernel has no PPP: no /dev/ppp (modprobe ppp_generic)", kernelVariable)
	}
	for _, module := range []string{"l2tp_netlink", "l2tp_ppp"} {
		if _, err := os.Stat("/sys/module/" + module); err != nil {
			missing(t, "the kernel has no L2TP: "+module+" is not loaded (modprobe "+module+")",
				kernelVariable)
		}
	}
}

// RequireRoot skips the test unless it runs as root, who may make namespaces.
// With CULVERT_TEST_ROOT=1 or CULVERT_TEST_KERNEL=1 it fails the test instead.
func RequireRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		missing(t, "needs root to make network namespaces", rootVariable, kernelVariable)
	}
	RequireProgram(t, "ip")
}

// RequireTUN is RequireRoot for tests that need TUN devices.
func RequireTUN(t testing.TB) {
	t.Helper()
	RequireRoot(t)
	if _, err := os.Stat("/dev/net/tun"); err != nil {
		missing(t, "the kernel has no TUN devices: no /dev/net/tun (modprobe tun)",
			rootVariable, kernelVariable)
	}
}

// RequireProgram skips the test unless the program is installed. With
// CULVERT_TEST_ROOT=1 or CULVERT_TEST_KERNEL=1 it fails the test instead.
// Programs that only the virtual machine has are for after RequireKernel.
func RequireProgram(t testing.TB, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		missing(t, "the program "+name+" is not installed", rootVariable, kernelVariable)
	}
}

// missing skips the test, or fails it if one of the variables is 1.
func missing(t testing.TB, what string, variables ...string) {
	t.Helper()
	for _, v := range variables {
		if os.Getenv(v) == "1" {
			t.Fatalf("%s=1, but %s", v, what)
		}
	}
	t.Skipf("%s (\"make test-vm\" runs this test in a virtual machine)", what)
}
