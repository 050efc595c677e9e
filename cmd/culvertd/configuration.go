package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"culvert/api"
	"culvert/internal/commit"
	"culvert/internal/config"
	"culvert/internal/resolver"
)

// file is the daemon's own configuration file, which may not be there.
func (f *flags) file() string {
	if f.config == "" {
		return defaultConfig
	}
	return f.config
}

// load reads the configuration file. Of several faults each is a line on stderr.
func (f *flags) load(stderr io.Writer) (store *config.Store, file commit.File, err error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, file, fmt.Errorf("asking for the host's name: %w", err)
	}
	store = config.NewStoreWithLookup(host, resolver.Lookup)
	text, err := os.ReadFile(f.file())
	if f.config == "" && errors.Is(err, fs.ErrNotExist) {
		return store, commit.File{Says: store.Snapshot()}, nil
	}
	if err != nil {
		return nil, file, fmt.Errorf("reading the configuration: %w", err)
	}
	next, faults := commit.Read(store, f.file(), text)
	if len(faults) > 0 {
		return nil, file, report(stderr, f.file(), faults)
	}
	store.Replace(store.Snapshot(), next)
	return store, commit.File{Text: text, Says: next}, nil
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

// checked says that the configuration is right, or that there is none. What it says
// in vain is a line each on stderr.
func (f *flags) checked(store *config.Store, stdout, stderr io.Writer) error {
	for _, text := range store.Snapshot().Warnings() {
		fmt.Fprintf(stderr, "%s: warning: %s\n", f.file(), text)
	}
	answer := "configuration ok"
	if _, err := os.Stat(defaultConfig); f.config == "" && errors.Is(err, fs.ErrNotExist) {
		answer = "no configuration: there is no " + defaultConfig
	}
	if hint := f.olderHint(); hint != "" {
		answer = hint
	}
	_, err := fmt.Fprintln(stdout, answer)
	return err
}

// olderHint says how to go on with openl2tpd's configuration, where that is the
// only one. It is not taken unasked: two daemons would share it, and what "write
// memory" writes only one of them reads.
func (f *flags) olderHint() string {
	if _, err := os.Stat(olderConfig); f.config != "" || err != nil {
		return ""
	}
	if _, err := os.Stat(defaultConfig); !errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	return fmt.Sprintf("no configuration: there is no %s; %s is there and loads as it is: "+
		"copy it, or name it by --config", defaultConfig, olderConfig)
}
