package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A machine is one virtual machine that boots, runs a job and powers off.
type machine struct {
	root     string // directory of the root file system
	version  string // kernel
	accel    string // kvm or tcg
	mem      int    // MiB
	cpus     int
	network  bool // QEMU's user mode network on a virtio device
	verbose  bool // show the console as it comes
	job      job
	bootTime time.Duration // limit until process 1 reports; zero is a default
}

// Why a machine ended without the command's exit code.
var (
	errNoBoot = errors.New("the kernel did not start in time")
	errEnded  = errors.New("the machine ended before the command did")
)

// run boots the machine and returns the command's exit code.
func (m *machine) run(ctx context.Context) (exit int, err error) {
	dir, err := os.MkdirTemp("", "culvert-vm-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	image, err := initramfs(m.root, m.version, m.job)
	if err != nil {
		return 0, err
	}
	initrd := filepath.Join(dir, "initrd")
	if err := os.WriteFile(initrd, image, 0o600); err != nil {
		return 0, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	cmd := exec.CommandContext(ctx, "qemu-system-x86_64", m.args(initrd)...)
	// The machine must not outlive this process, however that ends; main has
	// locked the thread that the signal depends on.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: !m.job.Shell}
	return m.watch(ctx, cancel, cmd)
}

// watch runs QEMU and reads its four ports until it exits.
func (m *machine) watch(ctx context.Context, cancel context.CancelCauseFunc, cmd *exec.Cmd) (int, error) {
	console := &tail{max: 64 << 10}
	var consoleOut io.Writer = console
	if m.verbose {
		consoleOut = io.MultiWriter(console, os.Stderr)
	}
	last := make(chan report, 1)
	started := time.AfterFunc(m.bootLimit(), func() { cancel(errNoBoot) })
	defer started.Stop()
	ports := portReaders{cmd: cmd}
	ports.read(func(r io.Reader) { last <- readReports(r, started) })
	ports.read(func(r io.Reader) { io.Copy(os.Stdout, r) })
	ports.read(func(r io.Reader) { io.Copy(os.Stderr, r) })
	ports.read(func(r io.Reader) { io.Copy(consoleOut, r) })
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if m.job.Shell {
		cmd.Stdin, cmd.Stdout = os.Stdin, os.Stdout
	}
	err := ports.run()
	r := <-last
	switch {
	case r.Done && r.Err == "":
		console.warn()
		return r.Exit, nil
	case r.Done:
		return 0, errors.New(r.Err)
	case context.Cause(ctx) != nil:
		err = context.Cause(ctx)
	case err != nil:
		err = fmt.Errorf("qemu: %w: %s", err, strings.TrimSpace(stderr.String()))
	default:
		err = errEnded
	}
	return 0, fmt.Errorf("%w; the console's last lines:\n%s", err, console.lines(100))
}

func (m *machine) bootLimit() time.Duration {
	if m.bootTime != 0 {
		return m.bootTime
	}
	return 2 * time.Minute
}

// readReports returns the last report.
func readReports(r io.Reader, started *time.Timer) (last report) {
	for d := json.NewDecoder(r); ; {
		var next report
		if d.Decode(&next) != nil {
			return last
		}
		if next.Started {
			started.Stop()
		}
		last = next
	}
}

// portReaders reads pipes that QEMU has as files 3 and up.
type portReaders struct {
	cmd   *exec.Cmd
	pipes []*os.File // our ends
	funcs []func(io.Reader)
	err   error
}

func (p *portReaders) read(f func(io.Reader)) {
	r, w, err := os.Pipe()
	if err != nil {
		p.err = err
		return
	}
	p.cmd.ExtraFiles = append(p.cmd.ExtraFiles, w)
	p.pipes = append(p.pipes, r)
	p.funcs = append(p.funcs, f)
}

// run runs QEMU and returns when it has ended and all its output is read.
func (p *portReaders) run() error {
	if p.err != nil {
		return p.err
	}
	err := p.cmd.Start()
	for _, w := range p.cmd.ExtraFiles {
		w.Close()
	}
	done := make(chan bool)
	for i, f := range p.funcs {
		go func() {
			f(p.pipes[i])
			io.Copy(io.Discard, p.pipes[i]) // never let QEMU block
			p.pipes[i].Close()
			done <- true
		}()
	}
	if err == nil {
		err = p.cmd.Wait()
	}
	for range p.funcs {
		<-done
	}
	return err
}

// args returns QEMU's command line. File 3 is the control port, 4 and 5 are
// the command's output, 6 is the console.
func (m *machine) args(initrd string) []string {
	accel, cpu := "tcg,thread=multi,tb-size=512", "max"
	if m.accel == "kvm" {
		accel, cpu = "kvm", "max,arch-capabilities=off" // its MSR is often refused when nested
	}
	args := []string{
		"-accel", accel, "-cpu", cpu, "-machine", "q35,hpet=off",
		"-m", strconv.Itoa(m.mem), "-smp", strconv.Itoa(m.cpus),
		"-display", "none", "-no-reboot", "-nodefaults",
		"-kernel", filepath.Join(m.root, "boot/vmlinuz-"+m.version),
		"-initrd", initrd,
		"-append", "console=ttyS0 quiet panic=-1 oops=panic mitigations=off " +
			"random.trust_cpu=on tsc=reliable no_timer_check",
		"-chardev", "file,id=console,path=/dev/fd/6", "-serial", "chardev:console",
		"-device", "virtio-serial-pci",
	}
	for i, name := range []string{portControl, portOut, portErr} {
		id := fmt.Sprintf("port%d", i)
		args = append(args, "-chardev", fmt.Sprintf("file,id=%s,path=/dev/fd/%d", id, 3+i),
			"-device", "virtserialport,chardev="+id+",name="+name)
	}
	if m.job.Shell {
		args = append(args, "-chardev", "stdio,id=tty,signal=off", "-device", "virtconsole,chardev=tty")
	}
	if m.network {
		args = append(args, "-nic", "user,model=virtio-net-pci")
	} else {
		args = append(args, "-nic", "none")
	}
	args = append(args, "-virtfs", virtfs("root", m.root)+",readonly=on")
	for _, s := range m.job.Shares {
		args = append(args, "-virtfs", virtfs(s.Tag, s.Path))
	}
	return args
}

func virtfs(tag, path string) string {
	return "local,mount_tag=" + tag + ",security_model=none,multidevs=remap,path=" +
		strings.ReplaceAll(path, ",", ",,")
}
