package management

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// An authority signs certificates for a test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	a := &authority{}
	a.key = newKey(t)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, a.key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.pem = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return a
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// issue signs a certificate for both ends, with a common name and DNS names.
func (a *authority) issue(t *testing.T, name string, dns ...string) (certPEM, keyPEM []byte) {
	t.Helper()
	key := newKey(t)
	serial, _ := rand.Int(rand.Reader, big.NewInt(1<<60))
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, DNSNames: dns,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER})
}

// A site is a server with a TLS listener, and the files and addresses of it.
type site struct {
	t       *testing.T
	s       *Server
	dir     string
	addr    string
	servers *authority
	clients *authority
}

// newSite starts a server whose TLS listener lets ops alter and view look.
func newSite(t *testing.T) *site {
	t.Helper()
	s, _ := serveSocket(t, "")
	a := &site{t: t, s: s, dir: t.TempDir(), addr: freeAddress(t),
		servers: newAuthority(t, "servers"), clients: newAuthority(t, "clients")}
	cert, key := a.servers.issue(t, "gateway")
	a.write("server.pem", cert)
	a.write("server.key", key)
	a.write("clients.pem", a.clients.pem)
	a.load(fmt.Sprintf("system modify api_listen=%s api_certificate=%s api_key=%s api_client_ca=%s "+
		"api_admins=ops api_readers=view,dash.example", a.addr, a.path("server.pem"),
		a.path("server.key"), a.path("clients.pem")))
	return a
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (a *site) path(name string) string { return filepath.Join(a.dir, name) }

func (a *site) write(name string, b []byte) {
	a.t.Helper()
	if err := os.WriteFile(a.path(name), b, 0o600); err != nil {
		a.t.Fatal(err)
	}
}

func (a *site) load(text string) {
	a.t.Helper()
	if err := a.s.Store.Load("x", []byte(text)); err != nil {
		a.t.Fatal(err)
	}
}

// client returns an HTTP client with a certificate, or none.
func (a *site) client(certPEM, keyPEM []byte) *http.Client {
	a.t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(a.servers.pem)
	cfg := &tls.Config{RootCAs: roots}
	if certPEM != nil {
		pair, err := tls.X509KeyPair(certPEM, keyPEM)
		if err != nil {
			a.t.Fatal(err)
		}
		// Whatever authorities the server names: a stranger shows it nevertheless.
		cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return &pair, nil
		}
	}
	transport := &http.Transport{TLSClientConfig: cfg, ForceAttemptHTTP2: true}
	a.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 10 * time.Second}
}

// named returns a client with a certificate of the clients' authority.
func (a *site) named(name string, dns ...string) *http.Client {
	a.t.Helper()
	return a.client(a.clients.issue(a.t, name, dns...))
}

// ask makes a request and returns the answer, or the error of the connection.
func (a *site) ask(c *http.Client, method, body string) string {
	res, err := c.Post("https://"+a.addr+"/culvert.v1.Management/"+method, "application/json",
		strings.NewReader(body))
	if err != nil {
		return err.Error()
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// want asks until an answer has a part in it.
func (a *site) want(c *http.Client, method, body, part string) {
	a.t.Helper()
	var answer string
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
		if answer = a.ask(c, method, body); strings.Contains(answer, part) {
			return
		}
		time.Sleep(10 * time.Millisecond) // listeners open and files are read in their own time
	}
	a.t.Fatalf("%s: %s, want %q in it", method, answer, part)
}

const alter = `{"object":{"system":{"max_sessions":7}}}`

func TestRolesOfCertificates(t *testing.T) {
	a := newSite(t)
	a.want(a.named("ops"), "Version", "{}", `"version":`)
	for _, c := range []struct {
		name          string
		client        *http.Client
		looks, alters string
	}{
		{"an admin", a.named("ops"), `"version":`, `"max_sessions":7`},
		{"an admin by DNS name", a.named("x", "y", "ops"), `"version":`, `"max_sessions":7`},
		{"a reader", a.named("view"), `"version":`, "expected a certificate with the name ops"},
		{"a reader by DNS name", a.named("", "dash.example"), `"version":`, "permission_denied"},
		{"an unlisted name", a.named("eve"), `it has [\"eve\"]`, `it has [\"eve\"]`},
	} {
		if got := a.ask(c.client, "Version", "{}"); !strings.Contains(got, c.looks) {
			t.Errorf("%s looks: %s, want %q in it", c.name, got, c.looks)
		}
		if got := strings.ReplaceAll(a.ask(c.client, "Modify", alter), " ", ""); !strings.Contains(got,
			strings.ReplaceAll(c.alters, " ", "")) {
			t.Errorf("%s alters: %s, want %q in it", c.name, got, c.alters)
		}
	}
	for _, c := range []struct {
		name   string
		client *http.Client
		alert  string
	}{
		{"no certificate", a.client(nil, nil), "certificate required"},
		{"another authority's", a.client(newAuthority(t, "clients").issue(t, "ops")),
			"unknown certificate authority"},
	} {
		if got := a.ask(c.client, "Version", "{}"); strings.Contains(got, `"version"`) {
			t.Errorf("%s looks: %s", c.name, got)
		}
		if err := a.handshake(c.client); err == nil || !strings.Contains(err.Error(), c.alert) {
			t.Errorf("%s: %v, want %q", c.name, err, c.alert)
		}
	}
}

// handshake returns what the server says to a client's certificate.
func (a *site) handshake(c *http.Client) error {
	a.t.Helper()
	conn, err := tls.Dial("tcp", a.addr, c.Transport.(*http.Transport).TLSClientConfig)
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = conn.Read(make([]byte, 1))
	return err
}

// TestRolesChangeAtRunTime: also for connections that are open.
func TestRolesChangeAtRunTime(t *testing.T) {
	a := newSite(t)
	ops, eve := a.named("ops"), a.named("eve")
	a.want(ops, "Version", "{}", `"version":`)
	a.want(eve, "Version", "{}", "permission_denied")
	a.load("system modify api_admins=eve api_readers=*")
	if got := a.ask(ops, "Modify", alter); !strings.Contains(got, "permission_denied") {
		t.Errorf("who is no longer an admin alters: %s", got)
	}
	if got := a.ask(eve, "Modify", alter); !strings.Contains(got, "max_sessions") {
		t.Errorf("who is an admin now: %s", got)
	}
	// The authority of both is withdrawn.
	a.write("clients.pem", newAuthority(t, "others").pem)
	a.load("system modify max_tunnels=9") // so that the files are looked at now
	a.want(ops, "Version", "{}", "no longer accepted")
	a.want(a.named("ops"), "Version", "{}", "unknown certificate authority")

	a.load("system unset api_listen")
	a.want(ops, "Version", "{}", "connection refused")
}

// TestWrongFiles: they are told of, and do not take down a listener that is open.
func TestWrongFiles(t *testing.T) {
	a := newSite(t)
	ops := a.named("ops")
	a.want(ops, "Version", "{}", `"version":`)
	serial := func() string {
		c := a.named("ops")
		defer c.CloseIdleConnections()
		res, err := c.Get("https://" + a.addr + "/nothing")
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return res.TLS.PeerCertificates[0].SerialNumber.String()
	}
	first := serial()
	a.write("server.pem", []byte("nothing of use"))
	a.load("system modify max_tunnels=9")
	a.want(ops, "Show", `{"object":{"system":{}}}`, "api_certificate "+a.path("server.pem"))
	if got := serial(); got != first {
		t.Errorf("the certificate is %s, want %s still", got, first)
	}
	cert, key := a.servers.issue(t, "gateway")
	a.write("server.pem", cert)
	a.write("server.key", key)
	a.load("system modify max_tunnels=10")
	for end := time.Now().Add(20 * time.Second); serial() == first; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the new certificate is not in use")
		}
	}
	if warnings := a.s.allWarnings(); len(warnings) != 0 {
		t.Errorf("warnings are left: %q", warnings)
	}
}

// TestKeysThatBecomeReadable: files are tried again though they look as before, for
// somebody may have let the daemon read them.
func TestKeysThatBecomeReadable(t *testing.T) {
	a := newSite(t)
	c := a.s.Store.Snapshot().System().API
	var k keyring
	content, err := os.ReadFile(c.Key)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(c.Key)
	if err != nil {
		t.Fatal(err)
	}
	a.write("server.key", make([]byte, len(content)))
	if err := os.Chtimes(c.Key, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	if _, err := k.refresh(c); err == nil || k.usable() {
		t.Fatal("a key of zeros is of use")
	}
	a.write("server.key", content)
	if err := os.Chtimes(c.Key, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	if read, err := k.refresh(c); !read || err != nil || !k.usable() {
		t.Errorf("the files were read: %v, %v", read, err)
	}
	if read, err := k.refresh(c); read || err != nil {
		t.Errorf("files that did not change were read: %v, %v", read, err)
	}
}

// TestAddressThatCannotBeHad: the listener that is open stays, and the status says why.
func TestAddressThatCannotBeHad(t *testing.T) {
	a := newSite(t)
	ops := a.named("ops")
	a.want(ops, "Version", "{}", `"version":`)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	a.load("system modify api_listen=" + taken.Addr().String())
	a.want(ops, "Show", `{"object":{"system":{}}}`, taken.Addr().String()+": address already in use")
	_, port, _ := net.SplitHostPort(a.addr)
	a.load("system modify api_listen=0.0.0.0:" + port) // where we are ourselves
	for end := time.Now().Add(20 * time.Second); len(a.s.allWarnings()) != 0; {
		if time.Sleep(10 * time.Millisecond); time.Now().After(end) {
			t.Fatalf("warnings are left: %q", a.s.allWarnings())
		}
	}
	a.want(a.named("ops"), "Version", "{}", `"version":`)
}

// TestMetricsAlone: the address of metrics serves nothing else.
func TestMetricsAlone(t *testing.T) {
	s, _ := serveSocket(t, "")
	s.Metrics = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "up 1\n") })
	addr := freeAddress(t)
	if err := s.Store.Load("x", []byte("system modify metrics_listen="+addr)); err != nil {
		t.Fatal(err)
	}
	get := func(path string) (string, error) {
		res, err := http.Get("http://" + addr + path)
		if err != nil {
			return "", err
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		return string(b), err
	}
	var text string
	for end := time.Now().Add(20 * time.Second); text == "" && time.Now().Before(end); {
		text, _ = get("/metrics")
		time.Sleep(10 * time.Millisecond)
	}
	if text != "up 1\n" {
		t.Errorf("metrics are %q", text)
	}
	if text, _ := get("/events?no_follow=true"); !strings.Contains(text, "not found") {
		t.Errorf("events are served to everybody: %q", text)
	}
	http.DefaultClient.CloseIdleConnections()
	if err := s.Store.Load("x", []byte("system unset metrics_listen")); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if _, err := get("/metrics"); err != nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal("metrics are still served")
		}
	}
}
