package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

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
	running *commit.Keeping
	lost    atomic.Pointer[error]
	why     string // sessions end with the daemon, whatever the keeper does
	ended   bool   // sessions have been ended: nothing is to go on
}

// openSurvival finds the keeper, if there is one, and what the last process has left. The
// state comes first: it is one daemon's, and so is the keeper.
func (f *flags) openSurvival(log *slog.Logger) (*survival, error) {
	s := &survival{log: log}
	if s.why = f.noKeeper(); s.why != "" {
		s.forget(f.keep)
		return s, nil
	}
	var err error
	s.dir, s.records, err = journal.Open(f.keep)
	switch {
	case errors.Is(err, journal.ErrInUse) && f.keep == defaultKeep:
		s.why = err.Error() // that of the machine, and this is another one
		return s, nil
	case s.dir == nil:
		return nil, fmt.Errorf("state of sessions: %w", err)
	case err != nil:
		log.Error("of the state that the last process has left some cannot be read", "err", err)
	}
	s.dir.Notify(s.notify)
	if s.client, s.kept, err = dialKeeper(f.keeper, func() { time.Sleep(keeperPause) }); err == nil {
		return s, nil
	}
	if !isNobody(err) {
		// What it holds goes on, and what is known of that stays, for the start that reaches it.
		return nil, errors.Join(fmt.Errorf("culvert-keeper: %w", err), s.dir.Close())
	}
	s.why = err.Error()
	err = s.dir.Discard()
	s.dir, s.records = nil, nil
	return s, err
}

// isNobody tells whether a failed connection says that there is no keeper: then it holds
// nothing. One that does not answer, or lets us not in, may hold everything.
func isNobody(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED)
}

// A keeper that has been there may be away for as long: both may have been killed, or are
// being upgraded, and it is started first.
const (
	keeperPause = 50 * time.Millisecond
	keeperTries = 100
)

// dialKeeper connects to the keeper, and waits for one that is about to come back.
func dialKeeper(path string, pause func()) (c *keeper.Client, kept map[string][]int, err error) {
	for range keeperTries {
		c, kept, err = keeper.Dial(path)
		if !errors.Is(err, syscall.ECONNREFUSED) {
			break
		}
		pause()
	}
	return c, kept, err
}

// noKeeper says why there is no keeper, if there is none.
func (f *flags) noKeeper() string {
	if f.keeper == noKeeper {
		return "--keeper none"
	}
	if _, err := os.Stat(f.keeper); errors.Is(err, fs.ErrNotExist) {
		return "there is no culvert-keeper at " + f.keeper
	}
	return ""
}

// forget removes what an earlier process has left, if it is nobody else's: without a keeper
// it comes to an end, and a later process is not to take it for this one's.
func (s *survival) forget(path string) {
	if err := journal.Remove(path); err != nil && !errors.Is(err, journal.ErrInUse) {
		s.log.Warn("removing the state of an earlier process", "err", err)
	}
}

// notify tells that something would not outlive the daemon, or would again.
func (s *survival) notify(what string, err error) {
	if err != nil {
		s.log.Error(what+" would not outlive the daemon", "err", err)
		return
	}
	s.log.Info(what + " would outlive the daemon again")
}

// resume makes what the last process ran the configuration, if the file that was read
// has not been changed since.
func (s *survival) resume(store *config.Store, file commit.File) {
	running, faults := commit.Resume(store, s.records, file)
	for _, fault := range faults {
		s.log.Error("what ran is not taken over, but what the file says", "fault", commit.FaultText(fault))
	}
	if running != nil {
		store.Replace(file.Says, running)
	}
}

// keep keeps events, and makes room for what runs.
func (s *survival) keep(events *event.Log) {
	if s.dir == nil {
		return
	}
	events.Restore(s.records)
	events.KeepIn(s.dir)
	s.running = commit.Keep(s.dir, s.records)
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

// An opener opens a data plane.
type opener = func(dataplane.Handler) (dataplane.Dataplane, error)

// over opens a data plane that is not the kernel's: what was kept is not for it, and it carries
// nothing without this process. Nothing is lost if it cannot be opened.
func (s *survival) over(plane string, open opener) opener {
	return func(h dataplane.Handler) (dataplane.Dataplane, error) {
		d, err := open(h)
		if err != nil {
			return nil, err
		}
		s.discard()
		if s.why == "" {
			s.why = "the data plane " + plane + " ends with the daemon"
		}
		return d, nil
	}
}

// discard ends what was kept: as long as the kernel has the tunnels' sockets their peers
// reach nobody else. The keeper closes last, since it does so many at a time.
func (s *survival) discard() {
	if len(s.kept) == 0 {
		return
	}
	for _, fds := range s.kept {
		keeper.CloseAll(fds)
	}
	s.client.Drop(context.Background(), slices.Collect(maps.Keys(s.kept))...)
	s.kept = nil
}

// cause says why sessions do not outlive the daemon, if so.
func (s *survival) cause() string {
	if s.why != "" {
		return s.why
	}
	if lost := s.lost.Load(); lost != nil {
		return (*lost).Error()
	}
	if err := s.client.Fault(); err != nil {
		return err.Error()
	}
	if err := s.dir.Fault(engine.JournalKind); err != nil {
		return err.Error()
	}
	return ""
}

// text says whether sessions outlive the daemon, and what besides them does not.
func (s *survival) text() string {
	if why := s.cause(); why != "" {
		return "no: " + why
	}
	for _, what := range []string{event.JournalKind, commit.JournalKind} {
		if err := s.dir.Fault(what); err != nil {
			return fmt.Sprintf("yes, but not %s: %v", what, err)
		}
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

// close ends the daemon's side. If nothing is to go on, nothing is left either. A daemon that
// could not begin leaves what it found.
func (s *survival) close() {
	if s.dir == nil {
		return
	}
	end := s.dir.Close
	if s.ended {
		end = s.dir.Discard
	}
	if err := errors.Join(end(), s.client.Close()); err != nil {
		s.log.Warn("closing the state of sessions", "err", err)
	}
}
