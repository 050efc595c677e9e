package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/netip"
	"os"
	"reflect"
	"strconv"
	"strings"
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

// serve runs the daemon until ctx is done.
func (f *flags) serve(ctx context.Context, stdout, stderr io.Writer) error {
	listen, err := f.addresses()
	if err != nil {
		return err
	}
	store, file, err := f.load(stderr)
	if err != nil {
		return err
	}
	pools := pool.New()
	if err := pools.Configure(poolConfigs(store.Snapshot())); err != nil {
		return err
	}
	if f.check {
		return f.checked(store, stdout, stderr)
	}
	logs, err := f.openLog(stderr, store.Snapshot().System().LogLevel)
	if err != nil {
		return err
	}
	defer logs.Close()
	log := logs.Logger()
	if hint := f.olderHint(); hint != "" {
		log.Warn(hint)
	}
	store.Subscribe(func(old, now *config.Snapshot) { apply(old, now, logs, pools) })
	manager, err := service.NewManager(log)
	if err != nil {
		return err
	}
	release, err := f.claim()
	if err != nil {
		return err
	}
	defer release()

	socket, err := management.Listen(f.socket)
	if err != nil {
		return err
	}
	defer socket.Close()
	outlive, err := f.openSurvival(log)
	if err != nil {
		return err
	}
	outlive.resume(store, file)
	plane, err := openDataplane(f.dataplane, log, outlive)
	if err != nil {
		return err
	}
	outlive.over(plane.kind)
	events := event.NewLog(event.DefaultCapacity)
	outlive.keep(events)
	management.TellObjects(store, events)
	recorder := trace.New(trace.Options{Log: log})
	recorder.Force(f.forced(f.debug))
	e, err := engine.New(engine.Options{
		Store:    store,
		Pools:    pools,
		Open:     plane.open,
		Note:     plane.note,
		Resolver: &resolver.Resolver{HandOff: f.handOff},
		Events:   events,
		Listen:   listen,
		Log:      log,
		Trace:    recorder,
		Version:  version(),
		Credit:   f.maxSetUp,
		Journal:  outlive.dir,
		Kept:     outlive.records,
		Boot:     kernel.BootTime,
		Survival: outlive.text,
	})
	if err != nil {
		return err
	}
	if plane.kind == "kernel" {
		makeRoom()
	}
	outlive.release()
	log.Info("serving", "dataplane", plane.kind, "listen", e.Listening(), "socket", f.socket,
		"sessions_survive", outlive.text())
	configurator := commit.New(commit.Options{Store: store, Backend: e, File: f.file(),
		State: f.state, Log: log, Read: file, Keeping: outlive.running})
	defer configurator.Close()
	l := &life{flags: f, log: logs, recorder: recorder, engine: e, configurator: configurator,
		manager: manager, survival: outlive}
	ctx = l.hear(ctx)
	return runUntilDone(ctx, l.end, func(ctx context.Context) error {
		return management.Serve(ctx, socket, &management.Server{
			Store: store, Backend: e, Version: version(), Events: events,
			Trace: recorder, Config: configurator, Log: log,
			Metrics: metrics.NewHandler(e, store, events, logs)})
	}, l.lead, l.tell, outlive.watch(e), e.ReturnMemory)
}

// runUntilDone does what is to be done until ctx is done or one of it ends with
// an error, and then ends the engine. Requests are answered until that is
// done: whoever watches sees the end of every session.
func runUntilDone(
	ctx context.Context, end, manage func(context.Context) error,
	others ...func(context.Context) error,
) error {
	tasks, ctx := errgroup.WithContext(ctx)
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
		return end(limit)
	})
	return tasks.Wait()
}

// apply carries out what of a changed configuration is not the engine's. Most
// changes record a tunnel or session, and pools can be large: those that did not
// change are left alone.
func apply(
	old, now *config.Snapshot, logs *logging.Log, pools *pool.Pools,
) {
	logs.SetLevel(now.System().LogLevel)
	if reflect.DeepEqual(old.Pools(), now.Pools()) {
		return
	}
	if err := pools.Configure(poolConfigs(now)); err != nil {
		logs.Logger().Error("changing pools", "err", err)
	}
}

// claim holds the pid file, if there is to be one, until it is released.
func (f *flags) claim() (release func(), err error) {
	if f.pidFile == "" {
		return func() {}, nil
	}
	p, err := service.ClaimPIDFile(f.pidFile)
	if err != nil {
		return nil, err
	}
	return func() { p.Release() }, nil
}

// poolConfigs turns the configured pools into the pool package's.
func poolConfigs(s *config.Snapshot) []pool.Config {
	var configs []pool.Config
	for _, p := range s.Pools() {
		configs = append(configs, pool.Config(p))
	}
	return configs
}

// addresses are where peers are heard.
func (f *flags) addresses() ([]netip.AddrPort, error) {
	if len(f.listen) == 0 {
		return everywhere(cmp.Or(f.port, engine.UsualPort)), nil
	}
	var addrs []netip.AddrPort
	for _, text := range f.listen {
		addr, err := parseListen(text)
		if err != nil {
			return nil, err
		}
		addrs = append(addrs, addr)
	}
	return addrs, nil
}

// everywhere is every address of the host, of the families that it has.
func everywhere(port uint16) []netip.AddrPort {
	addrs := []netip.AddrPort{netip.AddrPortFrom(netip.IPv4Unspecified(), port)}
	if _, err := os.Stat("/proc/net/if_inet6"); err == nil {
		addrs = append(addrs, netip.AddrPortFrom(netip.IPv6Unspecified(), port))
	}
	return addrs
}

// parseListen reads ADDR, ADDR:PORT or [ADDR6]:PORT.
func parseListen(text string) (netip.AddrPort, error) {
	if addr, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil {
		return netip.AddrPortFrom(addr, engine.UsualPort), nil
	}
	if addr, err := netip.ParseAddrPort(text); err == nil {
		return addr, nil
	}
	return netip.AddrPort{}, fmt.Errorf("--listen %s: expected an address such as 192.0.2.1, "+
		"192.0.2.1:1701 or [2001:db8::1]:1701", strconv.Quote(text))
}
