package shell_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestServerSwitching(t *testing.T) {
	one, two := serve(t, "user create user_name=one user_password=x\n"), serve(t, "user create user_name=two user_password=x\n")
	term := one.shell(start{width: 140})
	term.endsWith(prompt)
	want(t, term.asks(prompt, "server show"), one.socket)
	term.press("server modify name=" + two.socket + "\r")
	other := "l2tp-" + two.socket + "> "
	term.endsWith(other)
	lines := term.asks(other, "user list")
	want(t, lines, "two")
	wantNot(t, lines, "one")
	// A daemon that is not there changes nothing.
	want(t, term.asks(other, "server modify name=/no/such/socket"), "culvertd is not running there")
	want(t, term.asks(other, "server show"), two.socket)
	term.press("server modify name=" + one.socket + "\r")
	term.sees("at " + one.socket)
	term.endsWith(prompt)
	want(t, term.asks(prompt, "user list"), "one")
}

// A keychain is an authority, and certificates of it in PEM files.
type keychain struct {
	t    *testing.T
	dir  string
	key  ed25519.PrivateKey
	cert *x509.Certificate
}

func newKeychain(t *testing.T) *keychain {
	t.Helper()
	k := &keychain{t: t, dir: t.TempDir()}
	k.cert, k.key = k.make("ca", nil)
	return k
}

func (k *keychain) path(name string) string { return filepath.Join(k.dir, name) }

// make writes a certificate and its key. The first is the authority.
func (k *keychain) make(name string, addr net.IP) (*x509.Certificate, ed25519.PrivateKey) {
	k.t.Helper()
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		k.t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		BasicConstraintsValid: true, IsCA: k.cert == nil,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	if addr != nil {
		c.IPAddresses = []net.IP{addr}
	}
	parent, signer := c, key
	if k.cert != nil {
		parent, signer = k.cert, k.key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, public, signer)
	if err != nil {
		k.t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		k.t.Fatal(err)
	}
	k.write(name+".pem", "CERTIFICATE", der)
	k.write(name+".key", "PRIVATE KEY", private)
	made, err := x509.ParseCertificate(der)
	if err != nil {
		k.t.Fatal(err)
	}
	return made, key
}

func (k *keychain) write(name, kind string, der []byte) {
	k.t.Helper()
	text := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	if err := os.WriteFile(k.path(name), text, 0o600); err != nil {
		k.t.Fatal(err)
	}
}

func TestRemoteServer(t *testing.T) {
	k := newKeychain(t)
	k.make("daemon", net.IPv4(127, 0, 0, 1))
	k.make("boss", nil)
	k.make("watcher", nil)
	addr := "127.0.0.1:" + freeTCPPort(t)
	d := serve(t, fmt.Sprintf("user create user_name=far user_password=x\n"+
		"system modify api_listen=%s api_certificate=%s api_key=%s api_client_ca=%s api_admins=boss api_readers=watcher\n",
		addr, k.path("daemon.pem"), k.path("daemon.key"), k.path("ca.pem")))
	as := func(name string, more ...string) []string {
		return append([]string{"--server", addr, "--ca", k.path("ca.pem"), "--cert", k.path(name + ".pem"),
			"--key", k.path(name + ".key")}, more...)
	}
	d.wait("the API over TLS", func() bool { _, code := d.tries(as("boss", "version")...); return code == 0 })
	if out := d.does(as("boss", "user", "create", "user_name=new", "user_password=x")...); out != "created user \"new\"\n" {
		t.Errorf("an admin: %s", out)
	}
	if out := d.does(as("watcher", "user", "list")...); !strings.Contains(out, "far") {
		t.Errorf("a reader: %s", out)
	}
	if out, code := d.tries(as("watcher", "user", "delete", "user_name=new")...); code != 4 {
		t.Errorf("a reader who wants to change something: %d, %s", code, out)
	}
	if out, code := d.tries("--server", addr, "--ca", k.path("ca.pem"), "user", "list"); code != 4 || !strings.Contains(out, "--cert") {
		t.Errorf("without a certificate: %d, %s", code, out)
	}
	if out, code := d.tries("-R", "127.0.0.1:1", "user", "list"); code != 3 || !strings.Contains(out, "127.0.0.1:1") {
		t.Errorf("nobody there: %d, %s", code, out)
	}
	term := d.shell(start{width: 120, args: as("boss")})
	term.endsWith("l2tp-" + addr + "> ")
	want(t, term.asks("l2tp-"+addr+"> ", "show user far"), `user "far"`)
	// From the local daemon to the remote one, with the keys that were given.
	local := d.shell(start{width: 120, args: as("boss")[2:]})
	local.endsWith(prompt)
	local.press("server modify name=" + addr + "\r")
	local.endsWith("l2tp-" + addr + "> ")
}

func freeTCPPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}
