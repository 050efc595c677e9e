package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"syscall"

	"culvert/api"
	"culvert/internal/commit"
	"culvert/internal/config"
)

// file is the daemon's own configuration file, which may not be there.
func (f *flags) file() string {
	if f.config == "" {
		return defaultConfig
	}
	return f.config
}

// load reads the configuration file. Of several faults each is a line on stderr.
func (f *flags) load(stderr io.Writer) (*config.Store, error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("asking for the host's name: %w", err)
	}
	store := config.NewStore(host)
	text, err := os.ReadFile(f.file())
	if f.config == "" && errors.Is(err, fs.ErrNotExist) {
		return store, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	next, faults := commit.Read(store, f.file(), text)
	if len(faults) > 0 {
		return nil, report(stderr, f.file(), faults)
	}
	store.Replace(store.Snapshot(), next)
	return store, nil
}

// report makes one error of the faults of a file.
func report(w io.Writer, file string, faults []*api.Fault) error {
	if len(faults) == 1 {
		return errors.New(commit.FaultText(faults[0]))
	}
	for _, fault := range faults {
		fmt.Fprintln(w, commit.FaultText(fault))
	}
	return fmt.Errorf("%s: %d faults", file, len(faults))
}

// checked says that the configuration is right, or that there is none.
func (f *flags) checked(stdout io.Writer) error {
	answer := "configuration ok"
	if _, err := os.Stat(defaultConfig); f.config == "" && errors.Is(err, fs.ErrNotExist) {
		answer = "no configuration: there is no " + defaultConfig
	}
	_, err := fmt.Fprintln(stdout, answer)
	return err
}

// reloadOnHangup loads the configuration file again at each SIGHUP, until ctx is
// done. A lost terminal ends no session.
func reloadOnHangup(ctx context.Context, c *commit.Configurator) error {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	for {
		select {
		case <-hangups:
			c.Reload(ctx)
		case <-ctx.Done():
			return nil
		}
	}
}
