package management

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"
)

// Limits for whoever connects, known or not.
const (
	headerTimeout  = 10 * time.Second // also for the TLS handshake
	idleTimeout    = 2 * time.Minute  // between requests
	maxHeader      = 64 << 10
	maxConnections = 512 // of one listener of TCP
	stopGrace      = 2 * time.Second
)

// An outlet is a listener and the HTTP server on it.
type outlet struct {
	srv    *http.Server
	done   chan error // what serving ended with
	cancel context.CancelFunc
	secure bool // over TLS; the server sets its own TLSConfig when it serves
}

// endingKey leads to the context that is done when the outlet begins to stop.
type endingKey struct{}

// endingOf returns a context that is done when the listener of a request is to
// be closed: what would go on for ever ends then.
func endingOf(ctx context.Context) context.Context {
	if ending, ok := ctx.Value(endingKey{}).(context.Context); ok {
		return ending
	}
	return context.Background()
}

// open serves h on l, over TLS if there is a configuration for it.
func open(l net.Listener, h http.Handler, secure *tls.Config, log *slog.Logger) *outlet {
	base, cancel := context.WithCancel(context.Background())
	ending, end := context.WithCancel(context.Background())
	base = context.WithValue(base, endingKey{}, ending)
	o := &outlet{done: make(chan error, 1), cancel: cancel, secure: secure != nil}
	o.srv = &http.Server{
		Handler:           h,
		TLSConfig:         secure,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		BaseContext:       func(net.Listener) context.Context { return base },
		ConnContext:       withCaller,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		Protocols:         new(http.Protocols),
	}
	o.srv.Protocols.SetHTTP1(true)
	o.srv.Protocols.SetHTTP2(secure != nil)
	o.srv.Protocols.SetUnencryptedHTTP2(secure == nil)
	o.srv.RegisterOnShutdown(end)
	go func() {
		if secure != nil {
			o.done <- o.srv.ServeTLS(l, "", "")
		} else {
			o.done <- o.srv.Serve(l)
		}
	}()
	return o
}

// listenTCP opens a listener that takes a bounded number of connections.
func listenTCP(ctx context.Context, addr netip.AddrPort) (net.Listener, error) {
	var c net.ListenConfig
	l, err := c.Listen(ctx, "tcp", addr.String())
	if err != nil {
		return nil, fmt.Errorf("listening on TCP %v: %w", addr, reason(err))
	}
	return &bounded{Listener: l, places: make(chan struct{}, maxConnections)}, nil
}

// stop closes the listener, ends streams, waits a little for requests under
// way, and cuts what is left.
func (o *outlet) stop() error {
	grace, cancel := context.WithTimeout(context.Background(), stopGrace)
	defer cancel()
	err := o.srv.Shutdown(grace)
	o.cancel()
	if err != nil {
		err = o.srv.Close()
	}
	if served := <-o.done; !errors.Is(served, http.ErrServerClosed) {
		return served
	}
	return err
}

// A bounded listener closes connections beyond a number at once.
type bounded struct {
	net.Listener
	places chan struct{}
}

// Accept waits for a connection for which there is a place.
func (b *bounded) Accept() (net.Conn, error) {
	for {
		c, err := b.Listener.Accept()
		if err != nil {
			return nil, err
		}
		select {
		case b.places <- struct{}{}:
			return &known{Conn: c, caller: nobody{}, leave: func() { <-b.places }}, nil
		default:
			c.Close()
		}
	}
}
