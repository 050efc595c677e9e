package main

import (
	"context"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"

	"culvert/internal/commit"
	"culvert/internal/engine"
	"culvert/internal/logging"
	"culvert/internal/service"
	"culvert/internal/trace"
)

// A life is what is done for a daemon that serves: signals are heeded, and the
// service manager hears how it is.
type life struct {
	flags        *flags
	log          *logging.Log
	recorder     *trace.Recorder
	engine       *engine.Engine
	configurator *commit.Configurator
	manager      *service.Manager
	survival     *survival
	signals      chan os.Signal
	stop         context.CancelFunc
	leaves       atomic.Bool // sessions are left to the next process
}

// hear keeps signals for lead from now on. The context that it returns is done when
// one of them ends the daemon.
func (l *life) hear(ctx context.Context) context.Context {
	l.signals = make(chan os.Signal, 4)
	signal.Notify(l.signals, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGQUIT)
	ctx, l.stop = context.WithCancel(ctx)
	return ctx
}

// lead heeds signals until ctx is done. A lost terminal ends no session.
func (l *life) lead(ctx context.Context) error {
	defer signal.Stop(l.signals)
	for {
		select {
		case s := <-l.signals:
			l.heed(ctx, s)
		case <-ctx.Done():
			l.manager.Stopping()
			return nil
		}
	}
}

func (l *life) heed(ctx context.Context, s os.Signal) {
	switch s {
	case syscall.SIGHUP:
		l.reload(ctx)
	case syscall.SIGUSR1:
		l.toggleDebug()
	case syscall.SIGUSR2:
		service.LogDump(l.log.Logger())
	case syscall.SIGQUIT:
		l.leaves.Store(l.survival.holds())
		l.stop()
	}
}

// end ends the engine: what is up goes on if another process is to take it over, which
// SIGQUIT says, and if there is a keeper.
func (l *life) end(ctx context.Context) error {
	if l.leaves.Load() {
		l.log.Logger().Info("leaving sessions to the next process", "state", l.engine.Summary())
		defer l.survival.close(true)
		defer l.configurator.Flush()
		return l.engine.Leave(ctx)
	}
	l.log.Logger().Info("stopping")
	defer l.survival.close(false)
	return l.engine.Shutdown(ctx)
}

// reload opens log files anew, for those who rotate them, and loads the
// configuration file again.
func (l *life) reload(ctx context.Context) {
	l.manager.Reloading()
	defer l.manager.Ready()
	if err := l.log.Reopen(); err != nil {
		l.log.Logger().Error("opening log files anew", "err", err)
	}
	l.configurator.Reload(ctx)
}

// toggleDebug logs and traces everything, or what is configured and --trace says again.
func (l *life) toggleDebug() {
	on := l.log.ToggleDebug()
	l.recorder.Force(l.flags.forced(on))
	l.log.Logger().Warn("debugging by SIGUSR1", "on", on)
}

// tell tells the service manager that the daemon serves, and then how it is, until
// ctx is done.
func (l *life) tell(ctx context.Context) error {
	l.manager.Ready()
	return l.manager.Run(ctx, l.engine.Alive, l.engine.Summary)
}
