package main

import (
	"errors"
	"fmt"
	"io"
	"net/netip"

	"github.com/spf13/cobra"

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
	findings := append(kernel.Probe(), portFinding())
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

// portFinding tries whether the usual port is free.
func portFinding() kernel.Finding {
	f := kernel.Finding{Name: "UDP port 1701", OK: true, Detail: "free"}
	s, err := kernel.ListenUDP(netip.AddrPortFrom(netip.IPv4Unspecified(), usualPort))
	if err != nil {
		f.OK, f.Detail = false, err.Error()
		f.Fix = "stop the other L2TP daemon (xl2tpd, l2tpns, openl2tpd, culvertd), or use --listen ADDR:PORT"
		return f
	}
	if err := s.Close(); err != nil {
		return kernel.Finding{Name: f.Name, Detail: errors.Join(err).Error()}
	}
	return f
}
