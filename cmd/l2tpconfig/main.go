// Command l2tpconfig is the shell of culvertd.
//
//	l2tpconfig [flags]               commands from the terminal or the input
//	l2tpconfig [flags] COMMAND...    one command
//
// It exits with 0 when everything was done, 1 when the daemon refused or
// something failed, 2 when a command is wrong, 3 when there is no connection to
// the daemon, and 4 when we may not do what was asked for.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"culvert/api"
	"culvert/internal/shell"
)

func main() {
	code := run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	os.Exit(code)
}

// run carries out what args ask for and returns the exit code.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	s := &shell.Shell{
		Stdout:   stdout,
		Stderr:   stderr,
		Terminal: shell.OpenTerminal(stdin, stdout),
	}
	if len(args) == 2 && args[0] == "__complete" {
		return complete(s, args[1], stdout)
	}
	cmd := newCommand(s, args, stdin, stdout, stderr)
	err := cmd.Execute()
	if err == nil {
		return 0
	}
	for _, line := range s.Explain(err, cmd.Flags().Args()) {
		fmt.Fprintln(stderr, line)
	}
	return shell.ExitCode(err)
}

// newCommand is the command line of the program.
func newCommand(
	s *shell.Shell, args []string, stdin io.Reader, stdout, stderr io.Writer,
) *cobra.Command {
	cmd := &cobra.Command{
		Use:           "l2tpconfig [flags] [COMMAND...]",
		Short:         "Manage culvertd. l2tpconfig help lists the commands.",
		Args:          cobra.ArbitraryArgs,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(_ *cobra.Command, args []string) error {
			if err := check(s); err != nil {
				return err
			}
			return carryOut(s, args, stdin)
		},
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	flags := cmd.Flags()
	addFlags(flags, s)
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return shell.Usage(err) })
	cmd.SetArgs(args)
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	return cmd
}

func addFlags(flags *pflag.FlagSet, s *shell.Shell) {
	flags.StringVar(&s.Server.Socket, "socket", api.DefaultSocket, "`PATH` of the daemon's socket")
	flags.StringVarP(&s.Server.Host, "server", "R", "",
		"`HOST[:PORT]` of a daemon that is reached over TLS (port "+shell.DefaultPort+")")
	flags.StringVar(&s.Server.Cert, "cert", "", "`FILE` with our certificate, for --server")
	flags.StringVar(&s.Server.Key, "key", "", "`FILE` with its key")
	flags.StringVar(&s.Server.CA, "ca", "",
		"`FILE` with the authorities of the daemon's certificate (default: those of the system)")
	flags.StringVarP(&s.Output, "output", "o", "table", "form of the output: table, json or yaml")
	flags.BoolVarP(&s.Quiet, "quiet", "q", false, "do not say what was done")
	flags.BoolVarP(&s.Yes, "yes", "y", false, "ask nothing before sessions are dropped")
	flags.BoolP("tcp", "t", false, "accepted for openl2tp's sake")
	_ = flags.MarkHidden("tcp")
}

// check finds what flags cannot be.
func check(s *shell.Shell) error {
	if !slices.Contains(shell.Outputs, s.Output) {
		return shell.Usage(fmt.Errorf("--output %s: expected %s", s.Output,
			strings.Join(shell.Outputs, ", ")))
	}
	if (s.Server.Cert == "") != (s.Server.Key == "") {
		return shell.Usage(errors.New("expected --cert and --key together"))
	}
	return nil
}

// carryOut carries out one command, or those of the terminal or the input.
func carryOut(s *shell.Shell, args []string, stdin io.Reader) error {
	if len(args) == 0 && s.Terminal != nil {
		return s.Interact(context.Background())
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(args) > 0 {
		return s.Run(ctx, args)
	}
	text, err := io.ReadAll(stdin)
	if err != nil {
		return fmt.Errorf("reading commands: %w", err)
	}
	return s.RunAll(ctx, string(text))
}
