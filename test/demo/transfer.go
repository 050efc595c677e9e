package main

import (
	"bufio"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strings"
	"time"
)

// transferSize is how many bytes go each way.
const transferSize = 20_000_000

// transfer is one end of a transfer, run inside a host: "receive ADDR" prints the
// address where it listens, then the sum of what came; "send ADDR:PORT" sends
// random bytes and prints their sum.
func transfer(args []string, out io.Writer) error {
	if len(args) != 2 {
		return fmt.Errorf("%s: expected an address", args[0])
	}
	if args[0] == "send" {
		return send(args[1], out)
	}
	l, err := net.Listen("tcp", net.JoinHostPort(args[1], "0"))
	if err != nil {
		return err
	}
	defer l.Close()
	fmt.Fprintln(out, l.Addr())
	conn, err := l.Accept()
	if err != nil {
		return err
	}
	defer conn.Close()
	hash := sha256.New()
	n, err := io.Copy(hash, conn)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "received %d bytes, SHA-256 %x\n", n, hash.Sum(nil))
	return nil
}

func send(addr string, out io.Writer) error {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	hash := sha256.New()
	n, err := io.Copy(io.MultiWriter(conn, hash), io.LimitReader(rand.Reader, transferSize))
	if err := errors.Join(err, conn.Close()); err != nil {
		return err
	}
	fmt.Fprintf(out, "sent     %d bytes, SHA-256 %x\n", n, hash.Sum(nil))
	return nil
}

// transfer sends bytes from one host to another and compares the sums.
func (s *stage) transfer(from, to, addr string) error {
	receiver := exec.CommandContext(s.ctx, "ip", "netns", "exec", to, s.program("culvert-demo"), "receive", addr)
	pipe, err := receiver.StdoutPipe()
	if err != nil {
		return err
	}
	if err := receiver.Start(); err != nil {
		return err
	}
	lines := bufio.NewReader(pipe)
	listening, err := lines.ReadString('\n')
	if err != nil {
		return fmt.Errorf("receiving at %s: %w", addr, err)
	}
	began := time.Now()
	sent, err := exec.CommandContext(s.ctx, "ip", "netns", "exec", from, s.program("culvert-demo"),
		"send", strings.TrimSpace(listening)).Output()
	if err != nil {
		return fmt.Errorf("sending to %s: %w", addr, err)
	}
	received, err := io.ReadAll(lines)
	if err := errors.Join(err, receiver.Wait()); err != nil {
		return fmt.Errorf("receiving at %s: %w", addr, err)
	}
	took := time.Since(began)
	fmt.Fprintf(s.out, "\nTCP from %s to %s (%s), %.1f s:\n  %s  %s", from, to, addr, took.Seconds(), sent, received)
	if sum(string(sent)) != sum(string(received)) {
		return fmt.Errorf("what %s received is not what was sent", addr)
	}
	return nil
}

// sum is the last word of a line: the checksum.
func sum(line string) string {
	words := strings.Fields(line)
	if len(words) == 0 {
		return ""
	}
	return words[len(words)-1]
}
