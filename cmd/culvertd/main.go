// Culvertd is the L2TP daemon: it answers and places calls as its
// configuration and its shell, l2tpconfig, say.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"culvert/internal/management"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	context.AfterFunc(ctx, stop)  // a second signal ends the process at once
	signal.Ignore(syscall.SIGHUP) // until it can be heeded, see reloadOnHangup
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintf(os.Stderr, "culvertd: %v\n", err)
		os.Exit(1)
	}
}

// run runs the daemon, or what args ask for instead, until ctx is done.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	cmd := newCommand()
	cmd.SetArgs(args)
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	return cmd.ExecuteContext(ctx)
}

// newCommand is culvertd's command line.
func newCommand() *cobra.Command {
	var f flags
	cmd := &cobra.Command{
		Use:           "culvertd",
		Short:         "L2TP access concentrator and network server",
		Args:          cobra.NoArgs,
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.serve(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f.register(cmd)
	cmd.AddCommand(newDoctor())
	return cmd
}

// flags are what the command line says.
type flags struct {
	config     string
	state      string
	socket     string
	dataplane  string
	listen     []string
	foreground bool
	check      bool
}

// defaultConfig is read if it is there; one that --config names must be.
const defaultConfig = "/etc/culvert/culvertd.conf"

// defaultState is where systemd's StateDirectory=culvert is.
const defaultState = "/var/lib/culvert"

func (f *flags) register(cmd *cobra.Command) {
	p := cmd.Flags()
	p.StringVar(&f.config, "config", "",
		"configuration `FILE` (default "+defaultConfig+", if it is there)")
	p.StringVar(&f.state, "state", defaultState,
		"`DIR` for what outlives the daemon: the history of its configuration")
	p.StringVar(&f.socket, "socket", management.DefaultSocket,
		"`PATH` of the socket for l2tpconfig")
	p.StringVar(&f.dataplane, "dataplane", "auto",
		"what carries packets: auto, kernel, tun or null")
	p.StringArrayVar(&f.listen, "listen", nil,
		"`ADDR[:PORT]` on which peers are heard, repeatable (default 0.0.0.0:1701 and [::]:1701)")
	p.BoolVar(&f.foreground, "foreground", false,
		"log for a reader at a terminal; the daemon never puts itself into the background")
	p.BoolVar(&f.check, "check", false, "check the configuration and exit")
}
