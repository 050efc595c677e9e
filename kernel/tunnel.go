package kernel

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/mdlayher/netlink"
)

// Commands and attributes of the generic netlink family (linux/l2tp.h), which
// x/sys does not have.
const (
	cmdTunnelCreate  = 1
	cmdTunnelDelete  = 2
	cmdTunnelGet     = 4
	cmdSessionCreate = 5
	cmdSessionDelete = 6
	cmdSessionModify = 7
	cmdSessionGet    = 8

	attrPseudowire   = 1
	attrEncap        = 2
	attrVersion      = 7
	attrName         = 8
	attrTunnel       = 9
	attrPeerTunnel   = 10
	attrSession      = 11
	attrPeerSession  = 12
	attrRecvSequence = 18
	attrSendSequence = 19
	attrLNS          = 20
	attrRecvTimeout  = 22
	attrFD           = 23
	attrStats        = 30

	attrTxPackets   = 1
	attrTxBytes     = 2
	attrTxErrors    = 3
	attrRxPackets   = 4
	attrRxBytes     = 5
	attrRxDiscards  = 6
	attrRxOutOfSeq  = 7
	attrRxErrors    = 8
	encapUDP        = 0
	protocolVersion = 2
)

// CreateTunnel makes the connected socket s carry data messages. From then on
// the kernel consumes those of sessions it knows; all others arrive on s.
//
// A socket serves one tunnel in its life.
func (k *Kernel) CreateTunnel(ctx context.Context, t TunnelSpec, s *Socket) error {
	op := fmt.Sprintf("create l2tp tunnel %d", t.ID)
	return s.use(func(fd int) error {
		_, err := k.genl(ctx, cmdTunnelCreate, command, func(ae *netlink.AttributeEncoder) {
			t.encode(ae, fd)
		})
		return opError(op, err)
	})
}

func (t TunnelSpec) encode(ae *netlink.AttributeEncoder, fd int) {
	ae.Uint32(attrTunnel, uint32(t.ID))
	ae.Uint32(attrPeerTunnel, uint32(t.PeerID))
	ae.Uint8(attrVersion, protocolVersion)
	ae.Uint16(attrEncap, encapUDP)
	ae.Uint32(attrFD, uint32(fd))
}

// DeleteTunnel deletes a tunnel and its sessions, and returns when it is gone.
// The tunnel's socket stays open. Deleting what is gone is success.
func (k *Kernel) DeleteTunnel(ctx context.Context, id uint16) error {
	op := fmt.Sprintf("delete l2tp tunnel %d", id)
	_, err := k.genl(ctx, cmdTunnelDelete, command, func(ae *netlink.AttributeEncoder) {
		ae.Uint32(attrTunnel, uint32(id))
	})
	if err = opError(op, err); err != nil {
		if isGone(err) {
			return nil
		}
		return err
	}
	return k.awaitTunnelGone(ctx, op, id)
}

// awaitTunnelGone asks until the tunnel is not found: the kernel deletes in a
// work queue and tells nobody.
func (k *Kernel) awaitTunnelGone(ctx context.Context, op string, id uint16) error {
	for wait := time.Millisecond; ; wait = min(2*wait, 50*time.Millisecond) {
		_, err := k.Tunnel(ctx, id)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return opError(op, ctx.Err())
		case <-timer.C:
		}
	}
}

// Tunnel returns a tunnel as the kernel has it, or an error that is fs.ErrNotExist.
func (k *Kernel) Tunnel(ctx context.Context, id uint16) (TunnelInfo, error) {
	op := fmt.Sprintf("get l2tp tunnel %d", id)
	got, err := k.genl(ctx, cmdTunnelGet, request, func(ae *netlink.AttributeEncoder) {
		ae.Uint32(attrTunnel, uint32(id))
	})
	if err == nil && len(got) != 1 {
		err = fs.ErrNotExist
	}
	if err != nil {
		return TunnelInfo{}, opError(op, err)
	}
	t, err := parseTunnel(got[0])
	return t, opError(op, err)
}

// Tunnels returns all tunnels of the namespace, whoever made them.
func (k *Kernel) Tunnels(ctx context.Context) ([]TunnelInfo, error) {
	got, err := k.genl(ctx, cmdTunnelGet, dump, func(*netlink.AttributeEncoder) {})
	if err != nil {
		return nil, opError("list l2tp tunnels", err)
	}
	tunnels := make([]TunnelInfo, 0, len(got))
	for _, b := range got {
		t, err := parseTunnel(b)
		if err != nil {
			return nil, opError("list l2tp tunnels", err)
		}
		tunnels = append(tunnels, t)
	}
	return tunnels, nil
}

func parseTunnel(b []byte) (t TunnelInfo, err error) {
	err = eachAttribute(b, func(ad *netlink.AttributeDecoder) {
		switch ad.Type() {
		case attrTunnel:
			t.ID = uint32(uintAttribute(ad))
		case attrPeerTunnel:
			t.PeerID = uint32(uintAttribute(ad))
		case attrVersion:
			t.Version = uint8(uintAttribute(ad))
		case attrStats:
			t.Stats = parseStats(ad.Bytes())
		}
	})
	return t, err
}
