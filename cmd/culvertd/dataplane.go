package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"syscall"

	"culvert/internal/dataplane"
	"culvert/kernel"
)

// A plane is the data plane that was chosen, not yet open.
type plane struct {
	kind string
	note string
	open opener
}

// openDataplane chooses a data plane. Of auto it makes the kernel's, or, where the kernel
// has no L2TP or PPP, the one in userspace, and says so loudly.
func openDataplane(kind string, log *slog.Logger, s *survival) (plane, error) {
	switch kind {
	case "kernel":
		return plane{kind: kind, open: openKernel(log, s)}, nil
	case "tun":
		return plane{kind: kind, note: "asked for by --dataplane", open: s.over(kind, openTUN)}, nil
	case "null":
		return plane{kind: kind, note: "asked for by --dataplane: no data is carried",
			open: s.over(kind, dataplane.NewNull)}, nil
	}
	return chooseDataplane(kernel.Probe(), log, s) // auto
}

// chooseDataplane takes the kernel's if it has all that is needed. What lacks may be there at
// the next start: while the kernel has sessions nothing else takes its place unasked.
func chooseDataplane(findings []kernel.Finding, log *slog.Logger, s *survival) (plane, error) {
	var lacks []string
	for _, f := range findings {
		if !f.OK {
			lacks = append(lacks, f.Name)
		}
	}
	if len(lacks) == 0 {
		return plane{kind: "kernel", open: openKernel(log, s)}, nil
	}
	if n := dataplane.KeptSessions(s.kept); n > 0 {
		return plane{}, fmt.Errorf("the kernel lacks %s, and has %d sessions of the last process: "+
			"--dataplane tun would end them", strings.Join(lacks, ", "), n)
	}
	note := "fallback, slower: the kernel lacks " + strings.Join(lacks, ", ")
	log.Warn("USERSPACE DATA PLANE: all traffic goes through this process; see culvertd doctor", "why", note)
	return plane{kind: "tun", note: note, open: s.over("tun", openTUN)}, nil
}

func openKernel(log *slog.Logger, s *survival) opener {
	return func(h dataplane.Handler) (dataplane.Dataplane, error) {
		return dataplane.NewKernel(h, dataplane.KernelOptions{Log: log, Keeper: s.keeperOf(), Kept: s.kept})
	}
}

func openTUN(h dataplane.Handler) (dataplane.Dataplane, error) {
	d, err := dataplane.NewTUN(h, dataplane.TUNOptions{})
	switch {
	case errors.Is(err, syscall.EBUSY):
		return nil, fmt.Errorf("%w: does another culvertd run in this network namespace?", err)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("%w: expected CAP_NET_ADMIN and access to /dev/net/tun", err)
	}
	return d, err
}
