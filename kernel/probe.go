package kernel

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/mdlayher/genetlink"
	"golang.org/x/sys/unix"
)

const pppDevice = "/dev/ppp"

// A Finding is one thing that the kernel data plane needs, and whether it is there.
type Finding struct {
	Name   string // "generic netlink l2tp"
	OK     bool
	Detail string // what was found; for what is missing: the cause
	Fix    string // what to do about it; empty if OK
}

// A MissingError says that a need of the data plane is not met. It is
// errors.ErrUnsupported, or fs.ErrPermission where only rights are lacking.
type MissingError struct{ Finding Finding }

// Error names what is missing, why, and what to do.
func (e *MissingError) Error() string {
	return fmt.Sprintf("%s: %s; %s", e.Finding.Name, e.Finding.Detail, e.Finding.Fix)
}

// Is answers errors.Is.
func (e *MissingError) Is(target error) bool {
	if e.Finding.Name == needRights {
		return target == fs.ErrPermission
	}
	return target == errors.ErrUnsupported
}

// Names of the findings.
const (
	needRights  = "network administration"
	needDevice  = "/dev/ppp"
	needNetlink = "generic netlink l2tp"
	needSocket  = "PPPoL2TP sockets"
)

// A need is one row of what Probe looks for.
type need struct {
	name    string
	modules []string // which provide it, in the order of loading
	test    func() error
}

var needs = []need{
	{needRights, nil, testRights},
	{needDevice, []string{"slhc", "ppp_generic"}, testDevice},
	{needNetlink, []string{"udp_tunnel", "ip6_udp_tunnel", "l2tp_core", "l2tp_netlink"}, testNetlink},
	{needSocket, []string{"pppox", "l2tp_ppp"}, testSocket},
}

// Probe looks for all that the data plane needs. What is missing it tries to
// provide: it loads modules by their names (loading by use is unreliable for
// them) and makes the device node. Nothing of that needs undoing.
func Probe() []Finding {
	findings := make([]Finding, 0, len(needs))
	for _, n := range needs {
		findings = append(findings, n.probe())
	}
	return findings
}

func (n need) probe() Finding {
	err := n.test()
	if err == nil {
		return Finding{Name: n.name, OK: true, Detail: "present"}
	}
	var loading error
	for _, m := range n.modules {
		loading = loadModule(m)
	}
	if len(n.modules) > 0 {
		if err = n.test(); err == nil {
			return Finding{Name: n.name, OK: true,
				Detail: "modules loaded: " + strings.Join(n.modules, ", ")}
		}
	}
	f := Finding{Name: n.name, Detail: err.Error(), Fix: n.fix()}
	if loading != nil {
		f.Detail += "; " + loading.Error()
	}
	return f
}

func (n need) fix() string {
	if len(n.modules) == 0 {
		return "run as root or with CAP_NET_ADMIN"
	}
	modules, release := strings.Join(n.modules, " "), kernelRelease()
	if hasModules(n.modules, release) {
		return "run as root: modprobe -a " + modules
	}
	return fmt.Sprintf("kernel %s comes without the modules %s: boot Debian's linux-image-%s "+
		"(linux-image-cloud-%[3]s has no PPP), or use --dataplane tun",
		release, modules, runtime.GOARCH)
}

// hasModules reports whether the last of the modules is installed.
func hasModules(modules []string, release string) bool {
	b, err := os.ReadFile(filepath.Join("/lib/modules", release, "modules.dep"))
	name := "/" + modules[len(modules)-1] + ".ko"
	return err == nil && strings.Contains(string(b), name)
}

func kernelRelease() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return "unknown"
	}
	return unix.ByteSliceToString(u.Release[:])
}

func loadModule(name string) error {
	path := "/sbin/modprobe"
	if found, err := exec.LookPath("modprobe"); err == nil {
		path = found
	}
	// Without -q: what it says is the only hint at the cause.
	out, err := exec.Command(path, name).CombinedOutput()
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("load module %s: there is no modprobe (Debian package kmod)", name)
	}
	if err != nil {
		text, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
		return fmt.Errorf("load module %s: %w: %s", name, err, text)
	}
	return nil
}

// testRights asks for a socket option that needs CAP_NET_ADMIN in the
// namespace of the network, which need not be the one of the process's user.
func testRights() error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 1<<16)
}

func testDevice() error {
	fd, err := openPPP()
	if errors.Is(err, fs.ErrNotExist) {
		// ENOENT: no node; ENXIO and ENODEV: a node, and nothing behind it.
		made := unix.Mknod(pppDevice, unix.S_IFCHR|0o600, int(unix.Mkdev(108, 0)))
		if fd, err = openPPP(); err != nil && made == nil {
			os.Remove(pppDevice)
		}
	}
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

func testNetlink() error {
	c, err := genetlink.Dial(nil)
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.GetFamily("l2tp")
	return opError("find generic netlink family l2tp", err)
}

func testSocket() error {
	fd, err := unix.Socket(unix.AF_PPPOX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, protocolL2TP)
	if err != nil {
		return opError("open PPPoL2TP socket", err)
	}
	return unix.Close(fd)
}
