package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// probeLimit is how long a kernel may take to start under KVM. Where it works
// this is below two seconds; where it does not the kernel often hangs.
const probeLimit = 12 * time.Second

// accelerator settles "auto": KVM where a probe boots, software otherwise.
// The answer is kept until the host boots again.
func accelerator(ctx context.Context, cache, want string, m *machine) (string, error) {
	switch want {
	case "kvm", "tcg":
		return want, nil
	case "auto":
	default:
		return "", fmt.Errorf("choosing an accelerator: %s: want auto, kvm or tcg", want)
	}
	f, err := os.OpenFile("/dev/kvm", os.O_RDWR, 0)
	if err != nil {
		return "tcg", nil
	}
	f.Close()
	answer := filepath.Join(cache, "accel-"+bootID())
	if b, err := os.ReadFile(answer); err == nil {
		return strings.TrimSpace(string(b)), nil
	}
	accel := "tcg"
	if m.probe(ctx) == nil {
		accel = "kvm"
	}
	if ctx.Err() == nil {
		os.WriteFile(answer, []byte(accel+"\n"), 0o644) // a cache: may fail
	}
	return accel, nil
}

// probe boots the machine under KVM and has it run nothing.
func (m *machine) probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*probeLimit)
	defer cancel()
	p := *m
	p.accel, p.bootTime, p.verbose = "kvm", probeLimit, false
	p.job = job{Args: []string{"true"}, Dir: "/", Env: m.job.Env}
	_, err := p.run(ctx)
	return err
}

func bootID() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(b))
}
