// Command culvert-bench loads an LNS: it plays LACs with tunnels, calls and PPP peers
// in them, and reports how fast sessions came up and what failed.
//
//	culvert-bench [flags] LNS[:PORT]
//
// It exits with 0 when every session came up and stayed until it was ended, 1 when
// some failed, were dropped or were not up when the time was, 2 when the command is
// wrong, and 3 when the run was not possible or no session came up at all.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"culvert/internal/bench"
	"culvert/internal/buildinfo"
)

// The exit codes.
const (
	exitSuccess  = 0
	exitFailures = 1
	exitUsage    = 2
	exitNothing  = 3
)

// release is what the makers of a package say, by the linker's -X.
var release string

// version is the program's.
func version() string { return buildinfo.Version(release) }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run carries out what args ask for and returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	code := exitSuccess
	cmd := newCommand(&code)
	cmd.SetArgs(args)
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	if err := cmd.ExecuteContext(ctx); err != nil {
		fmt.Fprintf(stderr, "culvert-bench: %v\n", err)
		if failed := (*runError)(nil); errors.As(err, &failed) {
			return exitNothing
		}
		return exitUsage
	}
	return code
}

// A runError says that the command was right and could not be carried out.
type runError struct{ error }

func (e *runError) Unwrap() error { return e.error }

// newCommand is the command line of the program.
func newCommand(code *int) *cobra.Command {
	var f flags
	cmd := &cobra.Command{
		Use:           "culvert-bench [flags] LNS[:PORT]",
		Short:         "Load an L2TP network server and report how it fares",
		Args:          oneLNS,
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := f.config(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			report, err := f.carryOut(cmd.Context(), cfg, cmd.OutOrStdout(), cmd.ErrOrStderr())
			if err != nil {
				return &runError{err}
			}
			*code = exitCode(report)
			return nil
		},
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	f.register(cmd.Flags())
	return cmd
}

// oneLNS says what is missing or too much.
func oneLNS(_ *cobra.Command, args []string) error {
	switch len(args) {
	case 0:
		return errors.New("expected the name or address of an LNS; --help tells of the options")
	case 1:
		return nil
	}
	return fmt.Errorf("unexpected argument %q", args[1])
}

func exitCode(r *bench.Report) int {
	switch {
	case r.Settings.Sessions > 0 && r.Sessions.CameUp == 0, r.Tunnels.CameUp == 0:
		return exitNothing
	case r.Succeeded():
		return exitSuccess
	}
	return exitFailures
}

// carryOut runs the load and tells of it.
func (f *flags) carryOut(
	ctx context.Context, cfg *bench.Config, stdout, stderr io.Writer,
) (*bench.Report, error) {
	files, err := f.openReports()
	if err != nil {
		return nil, err
	}
	network, err := bench.OpenUDP()
	if err != nil {
		return nil, err
	}
	defer network.Close()
	if !f.quiet {
		cfg.Progress = newTicker(stderr, f.progress).tell
	}
	report := bench.New(cfg, network).Do(ctx)
	report.Release = version()
	return report, files.write(report, stdout)
}
