package shell

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"

	"culvert/api"
	"culvert/api/apiconnect"
)

// DefaultPort is the TCP port of a daemon's API, where none is given.
const DefaultPort = "1702"

// A Server says where a daemon is reached: at a Unix socket of this machine, or
// at HOST:PORT over TLS.
type Server struct {
	Socket string
	Host   string // if it is set, the daemon is reached over TLS
	// Files in PEM: our certificate, its key, and the authorities that we trust
	// with the daemon's certificate.
	Cert, Key, CA string
}

// String is the server as it is named in messages.
func (s Server) String() string {
	if s.Host != "" {
		return s.address()
	}
	return s.Socket
}

// named returns the server that name means: local is the usual socket, a path
// is another one, and anything else is a host that is reached as s says.
func (s Server) named(name string) Server {
	switch {
	case name == "" || name == "local":
		s.Host, s.Socket = "", api.DefaultSocket
	case strings.Contains(name, "/"):
		s.Host, s.Socket = "", name
	default:
		s.Host = name
	}
	return s
}

func (s Server) address() string {
	if _, _, err := net.SplitHostPort(s.Host); err == nil {
		return s.Host
	}
	return net.JoinHostPort(strings.Trim(s.Host, "[]"), DefaultPort)
}

// client returns a client of the daemon. It connects with the first request.
func (s Server) client() (apiconnect.ManagementClient, error) {
	if s.Host == "" {
		return apiconnect.NewManagementClient(&http.Client{Transport: s.overSocket()},
			"http://culvert"), nil
	}
	transport, err := s.overTLS()
	if err != nil {
		return nil, &Error{Code: ExitUnreachable, err: err}
	}
	return apiconnect.NewManagementClient(&http.Client{Transport: transport},
		"https://"+s.address()), nil
}

func (s Server) overSocket() *http.Transport {
	var d net.Dialer
	return &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return d.DialContext(ctx, "unix", s.Socket)
		},
	}
}

func (s Server) overTLS() (*http.Transport, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS13}
	if s.Cert != "" || s.Key != "" {
		pair, err := tls.LoadX509KeyPair(s.Cert, s.Key)
		if err != nil {
			return nil, fmt.Errorf("reading the certificate %s and its key %s: %w", s.Cert, s.Key, err)
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	if s.CA != "" {
		text, err := os.ReadFile(s.CA)
		if err != nil {
			return nil, fmt.Errorf("reading the authorities: %w", err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("reading the authorities in %s: expected certificates in PEM", s.CA)
		}
	}
	return &http.Transport{TLSClientConfig: cfg, ForceAttemptHTTP2: true}, nil
}
