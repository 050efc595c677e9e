package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"

	"culvert/kernel"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "culvert-demo:", err)
		os.Exit(1)
	}
}

// run tells the story over a data plane, or is one end of its transfer, or prints
// what the kernel has.
func run(ctx context.Context, args []string, out io.Writer) error {
	word := "kernel"
	if len(args) > 0 {
		word = args[0]
	}
	switch word {
	case "receive", "send":
		return transfer(args, out)
	case "inspect":
		return inspect(ctx, out)
	case "kernel", "tun":
	default:
		return fmt.Errorf("data plane %q: expected kernel or tun", word)
	}
	if os.Getuid() != 0 {
		return errors.New("must be root, to make network namespaces")
	}
	if word == "kernel" && !kernelHasL2TP() {
		return inVM(ctx, out)
	}
	return tell(ctx, out, word)
}

// kernelHasL2TP reports whether this kernel can carry L2TP.
func kernelHasL2TP() bool {
	for _, f := range kernel.Probe() {
		if !f.OK {
			return false
		}
	}
	return true
}

// inVM runs the demo again in a virtual machine.
func inVM(ctx context.Context, out io.Writer) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "This kernel has no L2TP: a stock Debian kernel is started in a virtual machine.")
	fmt.Fprintln(out, "(The first time its root file system is made, which downloads some 250 MB.)")
	cmd := exec.CommandContext(ctx, filepath.Join(filepath.Dir(self), "vmrun"), "-timeout", "5m", "--", self, "kernel")
	cmd.Stdout, cmd.Stderr = out, os.Stderr
	return cmd.Run()
}
