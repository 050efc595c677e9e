package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"culvert/internal/service"
)

// hear keeps signals for lead from now on. The context that it returns is done when
// one of them ends the daemon.
func (d *daemon) hear(ctx context.Context) context.Context {
	d.signals = make(chan os.Signal, 4)
	signal.Notify(d.signals, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGQUIT)
	ctx, d.stop = context.WithCancel(ctx)
	return ctx
}

// lead heeds signals until ctx is done. A lost terminal ends no session.
func (d *daemon) lead(ctx context.Context) error {
	defer signal.Stop(d.signals)
	for {
		select {
		case s := <-d.signals:
			d.heed(ctx, s)
		case <-ctx.Done():
			d.manager.Stopping()
			return nil
		}
	}
}

func (d *daemon) heed(ctx context.Context, s os.Signal) {
	switch s {
	case syscall.SIGHUP:
		d.reload(ctx)
	case syscall.SIGUSR1:
		d.toggleDebug()
	case syscall.SIGUSR2:
		service.LogDump(d.log.Logger())
	case syscall.SIGQUIT:
		d.leave()
	}
}

// leave ends the daemon, and its sessions only where nobody can take them over.
func (d *daemon) leave() {
	why := d.survival.cause()
	if why != "" {
		d.log.Logger().Warn("SIGQUIT ends sessions too, since they cannot outlive the daemon", "why", why)
	}
	d.leaves.Store(why == "")
	d.stop()
}

// end ends the engine: what is up goes on if another process is to take it over, and can.
// SIGQUIT says so, and so does a failure, which is to cost no more than a crash.
func (d *daemon) end(ctx context.Context, failure error) error {
	if failure != nil {
		d.log.Logger().Error("the daemon fails", "err", failure)
		d.leaves.Store(d.survival.cause() == "")
	}
	if d.leaves.Load() {
		d.log.Logger().Info("leaving sessions to the next process", "state", d.engine.Summary())
		return d.engine.Leave(ctx)
	}
	d.log.Logger().Info("stopping")
	d.survival.ended = true
	return d.engine.Shutdown(ctx)
}

// reload opens log files anew, for those who rotate them, and loads the
// configuration file again.
func (d *daemon) reload(ctx context.Context) {
	d.manager.Reloading()
	defer d.manager.Ready()
	if err := d.log.Reopen(); err != nil {
		d.log.Logger().Error("opening log files anew", "err", err)
	}
	d.configurator.Reload(ctx)
}

// toggleDebug logs and traces everything, or what is configured and --trace says again.
func (d *daemon) toggleDebug() {
	on := d.log.ToggleDebug()
	d.recorder.Force(d.flags.forced(on))
	d.log.Logger().Warn("debugging by SIGUSR1", "on", on)
}

// tell tells the service manager that the daemon serves, and then how it is, until
// ctx is done.
func (d *daemon) tell(ctx context.Context) error {
	d.manager.Ready()
	return d.manager.Run(ctx, d.engine.Alive, d.engine.Summary)
}
