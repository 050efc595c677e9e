package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync/atomic"

	"culvert/internal/commit"
	"culvert/internal/config"
	"culvert/internal/dataplane"
	"culvert/internal/engine"
	"culvert/internal/event"
	"culvert/internal/journal"
	"culvert/internal/keeper"
)

// defaultKeep is where state is that outlives the daemon but not the machine: in
// systemd's RuntimeDirectory.
const defaultKeep = "/run/culvert/state"

// noKeeper is what --keeper says if there is none.
const noKeeper = "none"

// A survival is what lets sessions outlive the daemon: a keeper for the descriptors
// and a journal for the state. Without a keeper it is empty, and does nothing.
type survival struct {
	log     *slog.Logger
	client  *keeper.Client // nil: there is no keeper
	kept    map[string][]int
	dir     *journal.Dir
	records journal.Records
	running *journal.Writer
	onFile  *config.Snapshot // what the configuration file says, if that is not what runs
	lost    atomic.Pointer[error]
	why     string // sessions end with the daemon, whatever the keeper does
}

// openSurvival finds the keeper, if there is one, and what the last process has left.
func (f *flags) openSurvival(log *slog.Logger) (*survival, error) {
	s := &survival{log: log}
	if f.keeper == noKeeper {
		s.why = "--keeper none"
		return s, nil
	}
	var err error
	s.client, s.kept, err = keeper.Dial(f.keeper)
	if err != nil {
		s.why = err.Error()
		if f.keeper == keeper.DefaultSocket && errors.Is(err, fs.ErrNotExist) {
			s.why = "there is no culvert-keeper at " + f.keeper
		}
		return s, nil
	}
	s.dir, s.records, err = journal.Open(f.keep)
	if s.dir == nil {
		return nil, fmt.Errorf("state of sessions: %w", err)
	}
	if err != nil {
		log.Error("of the state that the last process has left some cannot be read", "err", err)
	}
	return s, nil
}

// resume makes what the last process ran the configuration, if the file has not
// been changed since.
func (s *survival) resume(store *config.Store) {
	onFile := store.Snapshot()
	running, faults := commit.Resume(store, s.records, onFile)
	for _, fault := range faults {
		s.log.Error("what ran is not taken over, but what the file says", "fault", commit.FaultText(fault))
	}
	if running != nil && store.Replace(onFile, running) {
		s.onFile = onFile
	}
}

// keep keeps events, and makes room for what runs.
func (s *survival) keep(events *event.Log) (err error) {
	if s.dir == nil {
		return nil
	}
	events.Restore(s.records)
	w, err := s.dir.Writer()
	if err != nil {
		return err
	}
	if err := events.KeepIn(w); err != nil {
		return err
	}
	if s.running, err = s.dir.Writer(); err != nil {
		return err
	}
	return commit.CarryOver(s.running, s.records)
}

// release lets go what was read, once it was taken over.
func (s *survival) release() { s.records, s.kept = nil, nil }

// keeperOf returns who keeps descriptors, nil for nobody.
func (s *survival) keeperOf() dataplane.Keeper {
	if s.client == nil {
		return nil // not a nil *keeper.Client
	}
	return s.client
}

// over says what carries packets: only the kernel does without this process.
func (s *survival) over(plane string) {
	if s.why == "" && plane != "kernel" {
		s.why = "the data plane " + plane + " ends with the daemon"
	}
}

// holds reports whether sessions outlive the daemon.
func (s *survival) holds() bool { return s.text() == "yes" }

// text says whether sessions outlive the daemon.
func (s *survival) text() string {
	switch {
	case s.why != "":
		return "no: " + s.why
	case s.lost.Load() != nil:
		return "no: " + (*s.lost.Load()).Error()
	}
	return "yes"
}

// watch gives everything to the keeper again when it has been restarted, until ctx is done.
func (s *survival) watch(e *engine.Engine) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		if s.client == nil {
			return nil
		}
		return s.client.Run(ctx, func(lost error) {
			if lost != nil {
				s.lost.Store(&lost)
				s.log.Warn("sessions would not outlive the daemon", "why", lost)
				return
			}
			e.HandOver()
			s.lost.Store(nil)
			s.log.Info("sessions would outlive the daemon again: the keeper is back")
		})
	}
}

// close ends the daemon's side. If nothing is to go on, nothing is left either.
func (s *survival) close(goesOn bool) {
	if s.dir == nil {
		return
	}
	if !goesOn {
		if err := s.dir.Clear(); err != nil {
			s.log.Warn("removing the state of sessions", "err", err)
		}
	}
	if err := errors.Join(s.dir.Close(), s.client.Close()); err != nil {
		s.log.Warn("closing the state of sessions", "err", err)
	}
}
