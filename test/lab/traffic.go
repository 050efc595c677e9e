package lab

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"
)

// Ping sends count echo requests from the namespace and fails the test unless
// all are answered. Arguments add to ping's command line.
func (n *NetNS) Ping(t testing.TB, to netip.Addr, count int, args ...string) {
	t.Helper()
	if err := n.TryPing(t.Context(), to, count, args...); err != nil {
		t.Error(err)
	}
}

// TryPing is Ping for a condition of Wait.
func (n *NetNS) TryPing(ctx context.Context, to netip.Addr, count int, args ...string) error {
	args = append([]string{"-n", "-i", "0.2", "-W", "2", "-c", fmt.Sprint(count)}, args...)
	out, err := n.Command(ctx, "ping", append(args, to.String())...).CombinedOutput()
	if err == nil && !bytes.Contains(out, []byte(" 0% packet loss")) {
		err = errors.New("packets were lost") // with one answer of many ping is content
	}
	if err != nil {
		return fmt.Errorf("pinging %v from %s: %w\n%s", to, n.Name, err, out)
	}
	return nil
}

// StartPing pings at every interval until stop is called. That fails the test unless all
// but the last one, which may be under way then, were answered.
func (n *NetNS) StartPing(t testing.TB, to netip.Addr, every time.Duration) (stop func()) {
	t.Helper()
	ping := n.StartDaemon(t, "ping", "-n", "-i", fmt.Sprint(every.Seconds()), to.String())
	return func() {
		t.Helper()
		ping.Signal(os.Interrupt)
		ping.Wait(stopLimit) // its exit code says only whether any was answered
		var sent, answered int
		_, summary, _ := strings.Cut(ping.Output(), "ping statistics ---\n")
		if _, err := fmt.Sscanf(summary, "%d packets transmitted, %d received", &sent, &answered); err != nil {
			t.Errorf("reading what ping says: %v: %s", err, ping.Output())
		}
		if sent == 0 || sent-answered > 1 {
			t.Errorf("%d of %d pings were answered: %s", answered, sent, summary)
		}
	}
}

// transferLimit allows for software emulation.
const transferLimit = 2 * time.Minute

// Transfer sends size bytes by TCP from one namespace to the address of the
// other. The test ends when the checksums at both ends differ.
func Transfer(t testing.TB, from, to *NetNS, addr netip.Addr, size int64) {
	t.Helper()
	TransferFrom(t, from, netip.Addr{}, to, addr, size)
}

// TransferFrom is Transfer from one of several addresses of the sender.
func TransferFrom(t testing.TB, from *NetNS, local netip.Addr, to *NetNS, addr netip.Addr, size int64) {
	t.Helper()
	if err := transfer(t.Context(), from, local, to, addr, size); err != nil {
		t.Fatalf("transferring %d bytes from %s to %s at %v: %v", size, from.Name, to.Name, addr, err)
	}
}

func transfer(
	ctx context.Context, from *NetNS, local netip.Addr, to *NetNS, addr netip.Addr, size int64,
) error {
	ctx, cancel := context.WithTimeout(ctx, transferLimit)
	defer cancel()
	listener, err := listenIn(to, addr)
	if err != nil {
		return err
	}
	defer listener.Close()
	type digest struct {
		sum  [sha256.Size]byte
		size int64
		err  error
	}
	received := make(chan digest, 1)
	go func() {
		var d digest
		d.sum, d.size, d.err = receive(ctx, listener)
		received <- d
	}()
	sent, err := send(ctx, from, local, listener.Addr(), size)
	if err != nil {
		return fmt.Errorf("sending: %w", err)
	}
	switch d := <-received; {
	case d.err != nil:
		return fmt.Errorf("receiving: %w", d.err)
	case d.size != size:
		return fmt.Errorf("received %d bytes", d.size)
	case d.sum != sent:
		return errors.New("the checksums differ")
	}
	return nil
}

func listenIn(n *NetNS, addr netip.Addr) (listener *net.TCPListener, err error) {
	err = n.Do(func() error {
		listener, err = net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.AddrPortFrom(addr, 0)))
		return err
	})
	return listener, err
}

func receive(ctx context.Context, listener *net.TCPListener) (sum [sha256.Size]byte, size int64, err error) {
	deadline, _ := ctx.Deadline()
	listener.SetDeadline(deadline)
	conn, err := listener.Accept()
	if err != nil {
		return sum, 0, err
	}
	defer conn.Close()
	conn.SetDeadline(deadline)
	hash := sha256.New()
	size, err = io.Copy(hash, conn)
	return [sha256.Size]byte(hash.Sum(nil)), size, err
}

func send(
	ctx context.Context, from *NetNS, local netip.Addr, to net.Addr, size int64,
) (sum [sha256.Size]byte, err error) {
	var source *net.TCPAddr // the route's choice
	if local.IsValid() {
		source = net.TCPAddrFromAddrPort(netip.AddrPortFrom(local, 0))
	}
	var conn net.Conn
	err = from.Do(func() error {
		// By address, in one goroutine: net.Dialer may start others, which
		// would not be in the namespace.
		conn, err = net.DialTCP("tcp", source, to.(*net.TCPAddr))
		return err
	})
	if err != nil {
		return sum, err
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	conn.SetDeadline(deadline)
	hash := sha256.New()
	data := io.LimitReader(rand.NewChaCha8(sha256.Sum256([]byte(from.Name))), size)
	if _, err := io.Copy(io.MultiWriter(conn, hash), data); err != nil {
		return sum, err
	}
	return [sha256.Size]byte(hash.Sum(nil)), nil
}
