package main

import (
	"context"
	"fmt"
	"io"

	"culvert/kernel"
)

// inspect prints the l2tp tunnels and sessions and the ppp interfaces that the
// kernel has in this network namespace, with its counters.
func inspect(ctx context.Context, out io.Writer) error {
	k, err := kernel.Open()
	if err != nil {
		return err
	}
	defer k.Close()
	inventory, err := k.Inventory(ctx)
	if err != nil {
		return err
	}
	for _, t := range inventory.Tunnels {
		fmt.Fprintf(out, "tunnel %d, peer's %d, L2TPv%d\n", t.ID, t.PeerID, t.Version)
		printStats(out, t.Stats)
	}
	for _, s := range inventory.Sessions {
		fmt.Fprintf(out, "session %d in tunnel %d, peer's %d, pseudowire %s, role %s\n",
			s.Session, s.Tunnel, s.PeerSession, pseudowire(s.Pseudowire), role(s.LNS))
		printStats(out, s.Stats)
	}
	for _, l := range inventory.Links {
		fmt.Fprintf(out, "ppp interface %s, MTU %d\n", l.Name, l.MTU)
	}
	return nil
}

func printStats(out io.Writer, s kernel.Stats) {
	fmt.Fprintf(out, "  received %d packets, %d bytes, %d errors; sent %d packets, %d bytes, %d errors\n",
		s.RxPackets, s.RxBytes, s.RxErrors, s.TxPackets, s.TxBytes, s.TxErrors)
}

func pseudowire(number uint16) string {
	if number == kernel.PseudowirePPP {
		return "PPP"
	}
	return fmt.Sprint(number)
}

func role(lns bool) string {
	if lns {
		return "LNS"
	}
	return "LAC"
}
