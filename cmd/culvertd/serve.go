package main

import (
	"context"
	"io"
	"net"
	"net/netip"
	"os"
	"reflect"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"culvert/internal/commit"
	"culvert/internal/config"
	"culvert/internal/engine"
	"culvert/internal/event"
	"culvert/internal/logging"
	"culvert/internal/management"
	"culvert/internal/metrics"
	"culvert/internal/pool"
	"culvert/internal/resolver"
	"culvert/internal/service"
	"culvert/internal/trace"
	"culvert/kernel"
)

// shutdownLimit is how long sessions and tunnels may take to end politely
// when the daemon is told to stop.
const shutdownLimit = 8 * time.Second

// A daemon is what culvertd is made of, in the order in which it comes to be.
type daemon struct {
	flags  *flags
	stderr io.Writer

	listen []netip.AddrPort
	store  *config.Store
	file   commit.File // what the store's configuration was read from
	pools  *pool.Pools

	log     *logging.Log
	manager *service.Manager
	socket  net.Listener

	survival *survival
	plane    plane
	events   *event.Log
	recorder *trace.Recorder
	engine   *engine.Engine

	configurator *commit.Configurator
	signals      chan os.Signal
	stop         context.CancelFunc
	leaves       atomic.Bool // sessions are left to the next process

	closers []func() // what is to be closed, in the order in which it was opened
}

// serve runs the daemon until ctx is done.
func (f *flags) serve(ctx context.Context, stdout, stderr io.Writer) error {
	d := &daemon{flags: f, stderr: stderr}
	if err := d.configure(); err != nil {
		return err
	}
	if f.check {
		return f.checked(d.store, stdout, stderr)
	}
	defer d.close()
	for _, begin := range []func() error{d.openLog, d.claim, d.resume, d.startEngine} {
		if err := begin(); err != nil {
			return err
		}
	}
	return d.run(ctx)
}

// configure reads what the command line and the configuration file say.
func (d *daemon) configure() (err error) {
	if d.listen, err = d.flags.addresses(); err != nil {
		return err
	}
	if d.store, d.file, err = d.flags.load(d.stderr); err != nil {
		return err
	}
	d.pools = pool.New()
	return d.pools.Configure(poolConfigs(d.store.Snapshot()))
}

// openLog opens the log, and has it and the pools follow the configuration.
func (d *daemon) openLog() (err error) {
	level := d.store.Snapshot().System().LogLevel
	if d.log, err = d.flags.openLog(d.stderr, level); err != nil {
		return err
	}
	d.closeAtEnd(d.log.Close)
	if hint := d.flags.olderHint(); hint != "" {
		d.log.Logger().Warn(hint)
	}
	d.store.Subscribe(d.apply)
	return nil
}

// claim takes what one daemon has alone: the service manager's ear, the pid file and the
// socket. And room for the descriptors of many sessions.
func (d *daemon) claim() (err error) {
	service.RaiseOpenFiles(d.log.Logger())
	if d.manager, err = service.NewManager(d.log.Logger()); err != nil {
		return err
	}
	if d.flags.pidFile != "" {
		p, err := service.ClaimPIDFile(d.flags.pidFile)
		if err != nil {
			return err
		}
		d.closeAtEnd(func() { p.Release() })
	}
	if d.socket, err = management.Listen(d.flags.socket); err != nil {
		return err
	}
	d.closeAtEnd(func() { d.socket.Close() })
	return nil
}

// resume finds what the last process has left, chooses the data plane to go on with, and
// keeps events for the next process.
func (d *daemon) resume() (err error) {
	if d.survival, err = d.flags.openSurvival(d.log.Logger()); err != nil {
		return err
	}
	d.closeAtEnd(d.survival.close) // after everybody who records something
	d.survival.resume(d.store, d.file)
	if d.plane, err = openDataplane(d.flags.dataplane, d.log.Logger(), d.survival); err != nil {
		return err
	}
	d.events = event.NewLog(event.DefaultCapacity)
	d.survival.keep(d.events)
	return nil
}

// startEngine has peers served from here on.
func (d *daemon) startEngine() (err error) {
	management.TellObjects(d.store, d.events)
	d.recorder = trace.New(trace.Options{Log: d.log.Logger()})
	d.recorder.Force(d.flags.forced(d.flags.debug))
	d.engine, err = engine.New(engine.Options{
		Store:    d.store,
		Pools:    d.pools,
		Open:     d.plane.open,
		Note:     d.plane.note,
		Resolver: &resolver.Resolver{HandOff: d.flags.handOff},
		Events:   d.events,
		Listen:   d.listen,
		Log:      d.log.Logger(),
		Trace:    d.recorder,
		Version:  version(),
		Credit:   d.flags.maxSetUp,
		Journal:  d.survival.dir,
		Kept:     d.survival.records,
		Boot:     kernel.BootTime,
		Survival: d.survival.text,
	})
	if err != nil {
		return err
	}
	d.survival.release()
	if d.plane.kind == "kernel" {
		makeRoom()
	}
	d.log.Logger().Info("serving", "dataplane", d.plane.kind, "listen", d.engine.Listening(),
		"socket", d.flags.socket, "sessions_survive", d.survival.text())
	return nil
}

// run answers requests, heeds signals and looks after the rest until ctx is done.
func (d *daemon) run(ctx context.Context) error {
	d.configurator = commit.New(commit.Options{Store: d.store, Backend: d.engine,
		File: d.flags.file(), State: d.flags.state, Log: d.log.Logger(),
		Read: d.file, Keeping: d.survival.running})
	d.closeAtEnd(d.configurator.Close)
	return runUntilDone(d.hear(ctx), d.end, d.manage,
		d.lead, d.tell, d.survival.watch(d.engine), d.engine.ReturnMemory)
}

// manage answers requests until ctx is done.
func (d *daemon) manage(ctx context.Context) error {
	return management.Serve(ctx, d.socket, &management.Server{
		Store: d.store, Backend: d.engine, Version: version(), Events: d.events,
		Trace: d.recorder, Config: d.configurator, Log: d.log.Logger(),
		Metrics: metrics.NewHandler(d.engine, d.store, d.events, d.log)})
}

func (d *daemon) closeAtEnd(f func()) { d.closers = append(d.closers, f) }

// close closes what was opened, the last first.
func (d *daemon) close() {
	for _, f := range slices.Backward(d.closers) {
		f()
	}
}

// runUntilDone does what is to be done until ctx is done or one of it ends with
// an error, and then ends the engine. Requests are answered until that is
// done: whoever watches sees the end of every session. end is told the error, if
// that is why.
func runUntilDone(
	asked context.Context, end func(ctx context.Context, failure error) error,
	manage func(context.Context) error, others ...func(context.Context) error,
) error {
	tasks, ctx := errgroup.WithContext(asked)
	managing, stopManaging := context.WithCancel(context.WithoutCancel(ctx))
	tasks.Go(func() error { return manage(managing) })
	for _, do := range others {
		tasks.Go(func() error { return do(ctx) })
	}
	tasks.Go(func() error {
		defer stopManaging()
		<-ctx.Done()
		limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownLimit)
		defer cancel()
		var failure error
		if asked.Err() == nil {
			failure = context.Cause(ctx)
		}
		return end(limit, failure)
	})
	return tasks.Wait()
}

// apply carries out what of a changed configuration is not the engine's. Most
// changes record a tunnel or session, and pools can be large: those that did not
// change are left alone.
func (d *daemon) apply(old, now *config.Snapshot) {
	d.log.SetLevel(now.System().LogLevel)
	if reflect.DeepEqual(old.Pools(), now.Pools()) {
		return
	}
	if err := d.pools.Configure(poolConfigs(now)); err != nil {
		d.log.Logger().Error("changing pools", "err", err)
	}
}

// poolConfigs turns the configured pools into the pool package's.
func poolConfigs(s *config.Snapshot) []pool.Config {
	var configs []pool.Config
	for _, p := range s.Pools() {
		configs = append(configs, pool.Config(p))
	}
	return configs
}
