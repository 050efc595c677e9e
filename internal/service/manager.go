package service

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// usualInterval is how often a service manager is told what the daemon does.
const usualInterval = 10 * time.Second

// A Manager is the service manager that started the process: systemd, or
// nobody, who hears nothing. Its methods may be called from any goroutine.
//
// https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html
type Manager struct {
	log      *slog.Logger
	watchdog time.Duration // how long systemd waits for a sign of life; zero is forever
	send     func(state string) (sent bool, err error)
}

// NewManager finds the service manager by its environment variables.
func NewManager(log *slog.Logger) (*Manager, error) {
	watchdog, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		return nil, fmt.Errorf("reading WATCHDOG_USEC: %w", err)
	}
	send := func(state string) (bool, error) { return daemon.SdNotify(false, state) }
	return &Manager{log: log, watchdog: watchdog, send: send}, nil
}

// Ready says that the daemon serves, after its start or after Reloading.
func (m *Manager) Ready() { m.tell(daemon.SdNotifyReady) }

// Reloading says that the daemon reads its configuration anew. The time lets
// systemd tell this reload from an earlier one.
func (m *Manager) Reloading() {
	m.tell(daemon.SdNotifyReloading + "\n" + daemon.SdNotifyMonotonicUsec())
}

// Stopping says that the daemon ends.
func (m *Manager) Stopping() { m.tell(daemon.SdNotifyStopping) }

// Run tells now and then what the daemon does, and, where a watchdog waits for
// it, that it is alive, until ctx is done. A daemon that is not alive says
// nothing, whereupon systemd ends it and starts it again.
func (m *Manager) Run(
	ctx context.Context, alive func(context.Context) error, status func() string,
) error {
	interval := usualInterval
	if m.watchdog > 0 {
		interval = min(interval, m.watchdog/3)
	}
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	last := ""
	for {
		state := ""
		if now := status(); now != last {
			state, last = "STATUS="+now+"\n", now
		}
		if m.watchdog > 0 && m.isAlive(ctx, alive, interval) {
			state += daemon.SdNotifyWatchdog
		}
		if state != "" {
			m.tell(state)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

func (m *Manager) isAlive(
	ctx context.Context, alive func(context.Context) error, limit time.Duration,
) bool {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err := alive(limited)
	if err != nil && ctx.Err() == nil {
		m.log.Error("no sign of life for the watchdog", "err", err, "limit", m.watchdog)
	}
	return err == nil
}

// tell tells it to systemd. Nothing depends on it but what systemd shows, and
// the watchdog, which acts by itself.
func (m *Manager) tell(state string) {
	if _, err := m.send(state); err != nil {
		m.log.Warn("telling systemd", "err", err)
	}
}
