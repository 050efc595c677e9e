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

	"culvert/internal/buildinfo"
)

// release is what the makers of a package say, by the linker's -X.
var release string

// version is the program's.
func version() string { return buildinfo.Version(release) }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	// Until they can be heeded, see life.go.
	signal.Ignore(syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2)
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
			if err := f.verify(cmd.Flags(), cmd.ErrOrStderr()); err != nil {
				return err
			}
			return f.serve(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f.register(cmd.Flags())
	cmd.AddCommand(newDoctor())
	return cmd
}
