package kernel

import (
	"errors"
	"io/fs"
	"sync"

	"github.com/mdlayher/genetlink"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// A Deletion says that somebody deleted a tunnel or a session by command: we,
// or another program. The kernel does not announce what goes with its socket.
type Deletion struct {
	Tunnel  uint32
	Session uint32 // 0: the tunnel with all its sessions
}

// A Watch is a subscription to deletions.
type Watch struct {
	conn *genetlink.Conn
	wg   sync.WaitGroup
}

// WatchDeletions calls deleted for each, on a goroutine of its own, until Close.
// When the kernel drops announcements because too many are queued, the watch
// goes on with the next.
func (k *Kernel) WatchDeletions(deleted func(Deletion)) (*Watch, error) {
	c, err := genetlink.Dial(nil)
	if err != nil {
		return nil, opError("watch l2tp", err)
	}
	for _, g := range k.family.Groups {
		if g.Name == "l2tp" {
			err = c.JoinGroup(g.ID)
		}
	}
	if err != nil {
		c.Close()
		return nil, opError("watch l2tp", err)
	}
	w := &Watch{conn: c}
	w.wg.Go(func() { w.run(deleted) })
	return w, nil
}

// Close ends the watch and waits for a callback that is running.
func (w *Watch) Close() error {
	err := w.conn.Close()
	w.wg.Wait()
	if errors.Is(err, fs.ErrClosed) {
		return nil
	}
	return opError("close watch", err)
}

func (w *Watch) run(deleted func(Deletion)) {
	for {
		ms, _, err := w.conn.Receive()
		if errors.Is(err, unix.ENOBUFS) {
			continue
		}
		if err != nil {
			return // closed
		}
		for _, m := range ms {
			if d, ok := parseDeletion(m); ok {
				deleted(d)
			}
		}
	}
}

func parseDeletion(m genetlink.Message) (d Deletion, ok bool) {
	if m.Header.Command != cmdTunnelDelete && m.Header.Command != cmdSessionDelete {
		return d, false
	}
	err := eachAttribute(m.Data, func(ad *netlink.AttributeDecoder) {
		switch ad.Type() {
		case attrTunnel:
			d.Tunnel = uint32(uintAttribute(ad))
		case attrSession:
			d.Session = uint32(uintAttribute(ad))
		}
	})
	return d, err == nil && d.Tunnel != 0 &&
		(d.Session != 0) == (m.Header.Command == cmdSessionDelete)
}
