package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

// guestMain is process 1. It never returns.
func guestMain() {
	var r report
	control, j, err := bootGuest()
	switch {
	case err != nil:
	case j.Systemd:
		err = becomeSystemd(j)
	default:
		r, err = runAgent(j)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "vm:", err) // on the console
		r = report{Done: true, Err: "in the machine: " + err.Error()}
	}
	finish(control, j, r)
}

// finish reports and powers the machine off.
func finish(control *os.File, j job, r report) {
	for _, s := range j.Shares {
		syscall.Unmount(s.Path, 0) // writes back; when busy, Sync below must do
	}
	if control != nil {
		json.NewEncoder(control).Encode(r)
	}
	syscall.Sync()
	syscall.Reboot(syscall.LINUX_REBOOT_CMD_POWER_OFF)
	select {}
}

// mountPoint is one mount(2).
type mountPoint struct {
	source, target, kind, options string
	flags                         uintptr
}

func (m mountPoint) mount() error {
	if err := os.MkdirAll(m.target, 0o755); err != nil {
		return err
	}
	if err := syscall.Mount(m.source, m.target, m.kind, m.flags, m.options); err != nil {
		return fmt.Errorf("mounting %s on %s: %w", m.source, m.target, err)
	}
	return nil
}

func mountAll(points []mountPoint) error {
	for _, p := range points {
		if err := p.mount(); err != nil {
			return err
		}
	}
	return nil
}

const nineP = "trans=virtio,version=9p2000.L,msize=512000,cache=loose"

var kernelMounts = []mountPoint{
	{"proc", "/proc", "proc", "", 0},
	{"sysfs", "/sys", "sysfs", "", 0},
	{"devtmpfs", "/dev", "devtmpfs", "", 0},
}

var rootMounts = []mountPoint{
	{"root", "/lower", "9p", nineP, syscall.MS_RDONLY},
	{"tmpfs", "/rw", "tmpfs", "", 0},
}

var innerMounts = []mountPoint{
	{"devpts", "/dev/pts", "devpts", "ptmxmode=0666", 0},
	{"tmpfs", "/dev/shm", "tmpfs", "", 0},
	{"tmpfs", "/run", "tmpfs", "mode=755", 0},
	{"tmpfs", "/tmp", "tmpfs", "mode=1777", 0},
}

// bootGuest brings the machine up to where a command can run, in the order
// that each step needs, and returns the control port and the job.
func bootGuest() (control *os.File, j job, err error) {
	conf, err := os.ReadFile(jobFile)
	if err != nil {
		return nil, j, err
	}
	if err := json.Unmarshal(conf, &j); err != nil {
		return nil, j, fmt.Errorf("reading the job: %w", err)
	}
	if err := mountAll(kernelMounts); err != nil {
		return nil, j, err
	}
	if err := insertBootModules(); err != nil {
		return nil, j, err
	}
	control, err = openPort(portControl)
	if err != nil {
		return nil, j, err
	}
	json.NewEncoder(control).Encode(report{Started: true})
	if err := mountAll(rootMounts); err != nil {
		return control, j, err
	}
	if err := changeRoot(); err != nil {
		return control, j, err
	}
	if err := mountAll(innerMounts); err != nil {
		return control, j, err
	}
	return control, j, settle(j)
}

// changeRoot lays a writable overlay above the root file system and moves in.
func changeRoot() error {
	for _, dir := range []string{"/rw/upper", "/rw/work"} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
	}
	points := []mountPoint{{"overlay", "/root", "overlay",
		"lowerdir=/lower,upperdir=/rw/upper,workdir=/rw/work", 0}}
	for _, dir := range []string{"/dev", "/proc", "/sys"} {
		points = append(points, mountPoint{dir, "/root" + dir, "", "", syscall.MS_MOVE})
	}
	if err := mountAll(points); err != nil {
		return err
	}
	if err := os.Chdir("/root"); err != nil {
		return err
	}
	if err := syscall.Mount(".", "/", "", syscall.MS_MOVE, ""); err != nil {
		return fmt.Errorf("moving the root: %w", err)
	}
	if err := syscall.Chroot("."); err != nil {
		return fmt.Errorf("changing the root: %w", err)
	}
	return os.Chdir("/")
}

// settle does what a distribution's start-up would do, as far as jobs need it.
func settle(j job) error {
	os.Setenv("PATH", guestPath)
	for _, s := range j.Shares {
		if err := (mountPoint{s.Tag, s.Path, "9p", nineP, 0}).mount(); err != nil {
			return err
		}
	}
	err := os.Symlink("/proc/self/fd", "/dev/fd")
	err = errors.Join(err, os.Symlink("/proc/self/fd/0", "/dev/stdin"))
	err = errors.Join(err, os.Symlink("/proc/self/fd/1", "/dev/stdout"))
	err = errors.Join(err, os.Symlink("/proc/self/fd/2", "/dev/stderr"))
	err = errors.Join(err, syscall.Sethostname([]byte("culvert")))
	err = errors.Join(err, os.WriteFile("/etc/hosts", []byte("127.0.0.1 localhost culvert\n"+
		"::1 localhost\n"), 0o644))
	return errors.Join(err, loopbackUp())
}

func loopbackUp() error {
	if out, err := exec.Command("ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
		return fmt.Errorf("setting lo up: %w: %s", err, out)
	}
	return nil
}

func insertBootModules() error {
	files, err := filepath.Glob("/modules/*") // sorted: in order of dependency
	if err != nil {
		return err
	}
	for _, file := range files {
		if err := insertModule(file); err != nil {
			return fmt.Errorf("inserting %s: %w", file, err)
		}
	}
	return nil
}

// From linux/module.h and the system call table; package syscall is older.
const (
	sysFinitModule       = 313
	moduleCompressedFile = 4
)

func insertModule(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	var flags uintptr
	if !strings.HasSuffix(file, ".ko") {
		flags = moduleCompressedFile
	}
	none := []byte{0}
	_, _, errno := syscall.Syscall(sysFinitModule, f.Fd(), uintptr(unsafe.Pointer(&none[0])), flags)
	if errno != 0 && errno != syscall.EEXIST {
		return errno
	}
	return nil
}

// openPort opens the virtio serial port of that name. The ports of a device
// appear some time after its module is loaded.
func openPort(name string) (*os.File, error) {
	for deadline := time.Now().Add(portWait); ; time.Sleep(5 * time.Millisecond) {
		if path := findPort(name); path != "" {
			return os.OpenFile(path, os.O_WRONLY, 0)
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("looking for serial port %s: not there after %v", name, portWait)
		}
	}
}

const portWait = 20 * time.Second

func findPort(name string) string {
	files, err := filepath.Glob("/sys/class/virtio-ports/*/name")
	if err != nil {
		return ""
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err == nil && strings.TrimSpace(string(b)) == name {
			return "/dev/" + filepath.Base(filepath.Dir(file))
		}
	}
	return ""
}

// runAgent starts the agent, and reaps whatever process 1 inherits until the
// agent has ended.
func runAgent(j job) (report, error) {
	conf, err := json.Marshal(j)
	if err != nil {
		return report{}, err
	}
	results, agentResults, err := os.Pipe()
	if err != nil {
		return report{}, err
	}
	agent, err := os.StartProcess("/proc/self/exe", []string{agentName, string(conf)},
		&os.ProcAttr{Env: j.Env, Files: []*os.File{nil, os.Stderr, os.Stderr, agentResults}})
	if err != nil {
		return report{}, fmt.Errorf("starting the agent: %w", err)
	}
	agentResults.Close()
	reapUntil(agent.Pid)
	var result report
	if err := json.NewDecoder(results).Decode(&result); err != nil {
		return report{}, fmt.Errorf("reading the agent's report: %w", err)
	}
	return result, nil
}

func reapUntil(pid int) {
	for {
		got, err := syscall.Wait4(-1, nil, 0, nil)
		if got == pid || errors.Is(err, syscall.ECHILD) {
			return
		}
	}
}
