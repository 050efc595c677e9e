// Culvert-keeper holds the descriptors of culvertd, so that its tunnels and
// sessions outlive it; see package keeper.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/pflag"

	"culvert/internal/buildinfo"
	"culvert/internal/keeper"
	"culvert/internal/service"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	signal.Ignore(syscall.SIGHUP)
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintf(os.Stderr, "culvert-keeper: %v\n", err)
		os.Exit(1)
	}
}

// release is what the makers of a package say, by the linker's -X.
var release string

// run runs the keeper, or what args ask for instead, until ctx is done.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := newFlags()
	flags.SetOutput(stderr)
	switch err := flags.Parse(args); {
	case errors.Is(err, pflag.ErrHelp):
		return usage(flags, stdout)
	case err != nil:
		return err
	case flags.NArg() > 0:
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if version, err := flags.GetBool("version"); err != nil || version {
		return errors.Join(err, printVersion(stdout))
	}
	path, err := flags.GetString("socket")
	if err != nil {
		return err
	}
	return serve(ctx, path, slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{ReplaceAttr: withoutTime})))
}

func newFlags() *pflag.FlagSet {
	flags := pflag.NewFlagSet("culvert-keeper", pflag.ContinueOnError)
	flags.Usage = func() {}
	flags.String("socket", keeper.DefaultSocket, "`PATH` of the socket for culvertd")
	flags.BoolP("version", "v", false, "print the version and exit")
	return flags
}

func usage(flags *pflag.FlagSet, w io.Writer) error {
	_, err := fmt.Fprintf(w, "Hold the descriptors of culvertd, so that its sessions outlive it\n\n"+
		"Usage:\n  culvert-keeper [flags]\n\nFlags:\n%s", flags.FlagUsages())
	return err
}

func printVersion(w io.Writer) error {
	_, err := fmt.Fprintf(w, "culvert-keeper version %s\n", buildinfo.Version(release))
	return err
}

// withoutTime leaves the time out: the journal has its own.
func withoutTime(groups []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey && len(groups) == 0 {
		return slog.Attr{}
	}
	return a
}

func serve(ctx context.Context, path string, log *slog.Logger) error {
	manager, err := service.NewManager(log)
	if err != nil {
		return err
	}
	service.RaiseOpenFiles(log)
	k, err := keeper.Listen(path, log)
	if err != nil {
		return err
	}
	log.Info("serving", "socket", path)
	manager.Ready()
	stop := context.AfterFunc(ctx, manager.Stopping)
	defer stop()
	return k.Serve(ctx)
}
