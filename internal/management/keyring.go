package management

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"culvert/internal/config"
)

// A keyring has the daemon's certificate and the authorities of its clients. The
// files are read anew when they change; while they are wrong the last good ones
// are used.
type keyring struct {
	mu      sync.Mutex
	from    [3]fileState // what was read last and good
	cert    *tls.Certificate
	clients *x509.CertPool
}

// A fileState tells whether a file is another than it was.
type fileState struct {
	path    string
	size    int64
	changed time.Time
	missing bool
}

func stateOf(path string) fileState {
	info, err := os.Stat(path)
	if err != nil {
		return fileState{path: path, missing: true}
	}
	return fileState{path: path, size: info.Size(), changed: info.ModTime()}
}

// refresh reads the files if they are others than those read last, or those could
// not be used: what is wrong may be a right that no time of the file tells of. It
// reports whether it read them, and what is wrong with them.
func (k *keyring) refresh(c config.APIListener) (read bool, err error) {
	from := [3]fileState{stateOf(c.Certificate), stateOf(c.Key), stateOf(c.ClientCA)}
	k.mu.Lock()
	defer k.mu.Unlock()
	if from == k.from {
		return false, nil
	}
	cert, clients, err := readKeys(c)
	if err != nil {
		k.from = [3]fileState{}
		return true, err
	}
	k.from, k.cert, k.clients = from, cert, clients
	return true, nil
}

// readKeys reads the files of a listener. Errors name the parameter.
func readKeys(c config.APIListener) (*tls.Certificate, *x509.CertPool, error) {
	certPEM, err := readKey("api_certificate", c.Certificate)
	if err != nil {
		return nil, nil, err
	}
	keyPEM, err := readKey("api_key", c.Key)
	if err != nil {
		return nil, nil, err
	}
	caPEM, err := readKey("api_client_ca", c.ClientCA)
	if err != nil {
		return nil, nil, err
	}
	cert, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return nil, nil, fmt.Errorf("api_certificate %s with api_key %s: %w", c.Certificate, c.Key, err)
	}
	clients := x509.NewCertPool()
	if !clients.AppendCertsFromPEM(caPEM) {
		return nil, nil, fmt.Errorf("api_client_ca %s: no certificate in it: expected PEM", c.ClientCA)
	}
	return &cert, clients, nil
}

func readKey(param, path string) ([]byte, error) {
	if path == "" {
		return nil, fmt.Errorf("%s is not set: expected the name of a file in PEM", param)
	}
	b, err := os.ReadFile(path)
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		err = pe.Err
	}
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", param, path, err)
	}
	return b, nil
}

// usable reports whether there is something to serve with.
func (k *keyring) usable() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.cert != nil
}

// verify checks a client's certificate against the authorities as they are now.
func (k *keyring) verify(cert *x509.Certificate, chain []*x509.Certificate) error {
	k.mu.Lock()
	clients := k.clients
	k.mu.Unlock()
	between := x509.NewCertPool()
	for _, c := range chain {
		between.AddCert(c)
	}
	_, err := cert.Verify(x509.VerifyOptions{Roots: clients, Intermediates: between,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	return err
}

// config is for a listener. Each handshake uses what the keyring has then. There are no
// session tickets: who comes back is verified again.
func (k *keyring) config() *tls.Config {
	protocols := []string{"h2", "http/1.1"}
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: protocols,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			k.mu.Lock()
			defer k.mu.Unlock()
			return &tls.Config{
				MinVersion:             tls.VersionTLS12,
				NextProtos:             protocols,
				Certificates:           []tls.Certificate{*k.cert},
				ClientCAs:              k.clients,
				ClientAuth:             tls.RequireAndVerifyClientCert,
				SessionTicketsDisabled: true,
			}, nil
		},
	}
}
