package kernel

import (
	"context"
	"fmt"
	"io/fs"
	"time"

	"github.com/mdlayher/netlink"
)

// CreateSession makes a PPP session in a tunnel. It carries nothing before a
// channel is opened on it.
func (k *Kernel) CreateSession(ctx context.Context, s SessionSpec) error {
	_, err := k.genl(ctx, cmdSessionCreate, command, s.encode)
	return opErrorf(err, "create l2tp session %d/%d", s.Tunnel, s.Session)
}

func (s SessionSpec) encode(ae *netlink.AttributeEncoder) {
	ae.Uint32(attrTunnel, uint32(s.Tunnel))
	ae.Uint32(attrSession, uint32(s.Session))
	ae.Uint32(attrPeerSession, uint32(s.PeerSession))
	ae.Uint16(attrPseudowire, PseudowirePPP)
	s.encodeModes(ae)
}

func (s SessionSpec) encodeModes(ae *netlink.AttributeEncoder) {
	ae.Uint8(attrLNS, flag(s.LNS))
	ae.Uint8(attrSendSequence, flag(s.SendSequence))
	ae.Uint8(attrRecvSequence, flag(s.RequireSequence))
	ae.Uint64(attrRecvTimeout, uint64(s.ReorderTimeout/time.Millisecond))
}

func flag(b bool) uint8 {
	if b {
		return 1
	}
	return 0
}

// ModifySession changes the sequencing of a session.
func (k *Kernel) ModifySession(ctx context.Context, s SessionSpec) error {
	_, err := k.genl(ctx, cmdSessionModify, command, func(ae *netlink.AttributeEncoder) {
		ae.Uint32(attrTunnel, uint32(s.Tunnel))
		ae.Uint32(attrSession, uint32(s.Session))
		s.encodeModes(ae)
	})
	return opError(fmt.Sprintf("modify l2tp session %d/%d", s.Tunnel, s.Session), err)
}

// DeleteSession deletes a session that has no channel. (A session with one goes
// when the channel is closed; in that order many go at once, whereas this
// command waits for a grace period with the whole of generic netlink locked.)
// Deleting what is gone is success.
func (k *Kernel) DeleteSession(ctx context.Context, tunnel, session uint16) error {
	_, err := k.genl(ctx, cmdSessionDelete, command, sessionID(tunnel, session))
	err = opError(fmt.Sprintf("delete l2tp session %d/%d", tunnel, session), err)
	if isGone(err) {
		return nil
	}
	return err
}

func sessionID(tunnel, session uint16) func(*netlink.AttributeEncoder) {
	return func(ae *netlink.AttributeEncoder) {
		ae.Uint32(attrTunnel, uint32(tunnel))
		ae.Uint32(attrSession, uint32(session))
	}
}

// Session returns a session as the kernel has it, or an error that is fs.ErrNotExist.
func (k *Kernel) Session(ctx context.Context, tunnel, session uint16) (SessionInfo, error) {
	op := fmt.Sprintf("get l2tp session %d/%d", tunnel, session)
	got, err := k.genl(ctx, cmdSessionGet, request, sessionID(tunnel, session))
	if err == nil && len(got) != 1 {
		err = fs.ErrNotExist
	}
	if err != nil {
		return SessionInfo{}, opError(op, err)
	}
	s, err := parseSession(got[0])
	return s, opError(op, err)
}

// Sessions returns all sessions of the namespace, whoever made them.
func (k *Kernel) Sessions(ctx context.Context) ([]SessionInfo, error) {
	got, err := k.genl(ctx, cmdSessionGet, dump, func(*netlink.AttributeEncoder) {})
	if err != nil {
		return nil, opError("list l2tp sessions", err)
	}
	sessions := make([]SessionInfo, 0, len(got))
	for _, b := range got {
		s, err := parseSession(b)
		if err != nil {
			return nil, opError("list l2tp sessions", err)
		}
		sessions = append(sessions, s)
	}
	return sessions, nil
}

func parseSession(b []byte) (s SessionInfo, err error) {
	err = eachAttribute(b, func(ad *netlink.AttributeDecoder) {
		switch ad.Type() {
		case attrTunnel:
			s.Tunnel = uint32(uintAttribute(ad))
		case attrSession:
			s.Session = uint32(uintAttribute(ad))
		case attrPeerSession:
			s.PeerSession = uint32(uintAttribute(ad))
		case attrPseudowire:
			s.Pseudowire = uint16(uintAttribute(ad))
		case attrLNS:
			s.LNS = uintAttribute(ad) != 0
		case attrSendSequence:
			s.SendSequence = uintAttribute(ad) != 0
		case attrRecvSequence:
			s.RequireSequence = uintAttribute(ad) != 0
		case attrRecvTimeout:
			s.ReorderTimeout = time.Duration(uintAttribute(ad)) * time.Millisecond
		case attrName:
			s.Interface = ad.String()
		case attrStats:
			s.Stats = parseStats(ad.Bytes())
		}
	})
	return s, err
}
