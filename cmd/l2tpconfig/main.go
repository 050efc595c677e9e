// Command l2tpconfig is the command line of culvertd.
//
//	l2tpconfig [--socket PATH] [--output table|json|yaml] [-q] COMMAND...
//
// Without a command it carries out those that it reads from its input.
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

	"culvert/api"
	"culvert/internal/shell"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "l2tpconfig:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	s := &shell.Shell{Stdout: stdout}
	cmd := &cobra.Command{
		Use:           "l2tpconfig [flags] COMMAND...",
		Short:         "Manage culvertd. l2tpconfig help lists the commands.",
		Args:          cobra.ArbitraryArgs,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(cmd *cobra.Command, args []string) error {
			return runCommand(cmd.Context(), s, args, stdin)
		},
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	flags := cmd.Flags()
	flags.SetInterspersed(false)
	flags.StringVar(&s.Socket, "socket", api.DefaultSocket, "`PATH` of the daemon's socket")
	flags.StringVarP(&s.Output, "output", "o", "table", "form of the output: table, json or yaml")
	flags.BoolVarP(&s.Quiet, "quiet", "q", false, "do not confirm what was done")
	cmd.SetArgs(args)
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	return cmd.ExecuteContext(ctx)
}

func runCommand(ctx context.Context, s *shell.Shell, args []string, stdin io.Reader) error {
	if !slices.Contains(shell.Outputs, s.Output) {
		return fmt.Errorf("--output %s: expected %s", s.Output, strings.Join(shell.Outputs, ", "))
	}
	if len(args) > 0 {
		return s.Run(ctx, args)
	}
	if isTerminal(stdin) {
		return errors.New("expected a command; l2tpconfig help lists them")
	}
	text, err := io.ReadAll(stdin)
	if err != nil {
		return fmt.Errorf("reading commands: %w", err)
	}
	return s.RunAll(ctx, string(text))
}

func isTerminal(r io.Reader) bool {
	f, ok := r.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
