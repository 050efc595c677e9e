package main

import (
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"culvert/internal/engine"
	"culvert/kernel"
)

// newDoctor is the command that says what this host lacks.
func newDoctor() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Say what this host lacks",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return diagnose(cmd.OutOrStdout()) },
	}
}

// diagnose prints a line for each finding, and how to mend it. Its error says
// how many are to be mended.
func diagnose(w io.Writer) error {
	findings := kernel.Probe()
	if slices.ContainsFunc(findings, func(f kernel.Finding) bool { return !f.OK }) {
		findings = append(findings, tunFinding())
	}
	findings = append(findings, portFinding())
	bad := 0
	for _, f := range findings {
		mark := "ok  "
		if !f.OK {
			mark = "LACK"
			bad++
		}
		fmt.Fprintf(w, "%s  %-22s %s\n", mark, f.Name, f.Detail)
		if !f.OK && f.Fix != "" {
			fmt.Fprintf(w, "      %-22s -> %s\n", "", f.Fix)
		}
	}
	if bad > 0 {
		return fmt.Errorf("doctor: %d of %d checks failed", bad, len(findings))
	}
	return nil
}

// tunFinding tries whether the userspace data plane could take the kernel's place.
func tunFinding() kernel.Finding {
	file, err := os.OpenFile("/dev/net/tun", os.O_RDWR, 0)
	if err != nil {
		return kernel.Finding{Name: "/dev/net/tun", Detail: err.Error(),
			Fix: "load the module tun (modprobe tun), or open the device to this user"}
	}
	file.Close()
	return kernel.Finding{Name: "/dev/net/tun", OK: true,
		Detail: "present: culvertd carries the packets through it where the kernel cannot: slower, but it works"}
}

// portFinding tries whether the usual port is free.
func portFinding() kernel.Finding {
	f := kernel.Finding{Name: "UDP port 1701", OK: true, Detail: "free"}
	s, err := kernel.ListenUDP(netip.AddrPortFrom(netip.IPv4Unspecified(), engine.UsualPort))
	if err != nil {
		f.OK, f.Detail = false, err.Error()
		f.Fix = "stop the other L2TP daemon (xl2tpd, l2tpns, openl2tpd, culvertd), or use --listen ADDR:PORT"
		return f
	}
	if err := s.Close(); err != nil {
		return kernel.Finding{Name: f.Name, Detail: err.Error()}
	}
	return f
}
