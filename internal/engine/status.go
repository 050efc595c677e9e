package engine

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"culvert/api"
	"culvert/internal/dataplane"
	"culvert/l2tp"
	"culvert/ppp"
)

// status describes a dialer's tunnel, whether an attempt runs or not.
func (d *dialer) status(now time.Time) *api.Tunnel { return subject{d, d.tunnel}.status(now) }

// status describes a tunnel: what was asked, if it was by command, and how it stands.
func (f subject) status(now time.Time) *api.Tunnel {
	t := &api.Tunnel{Status: &api.TunnelStatus{State: api.TunnelState_TUNNEL_STATE_IDLE}}
	if f.dialer != nil {
		t = proto.CloneOf(f.dialer.asked)
		t.TunnelId = new(uint32(f.dialer.id))
		if id := f.dialer.configID; id != 0 {
			t.ConfigId = new(uint32(id))
		}
		t.Status = f.dialer.retryStatus()
	}
	t.Status.Dataplane = f.shard().engine.path.Kind()
	if f.tunnel != nil {
		t.TunnelId = new(uint32(f.tunnel.core.ID()))
		f.tunnel.describe(now, t.Status)
	}
	return t
}

func (f subject) shard() *shard {
	if f.dialer != nil {
		return f.dialer.shard
	}
	return f.tunnel.shard
}

// retryStatus describes a dialer whose tunnel is not there.
func (d *dialer) retryStatus() *api.TunnelStatus {
	status := &api.TunnelStatus{
		State:         api.TunnelState_TUNNEL_STATE_IDLE,
		Attempts:      d.attempts,
		Cause:         readable(d.cause),
		NextAttemptAt: stamp(d.retry.at),
	}
	if !d.retry.at.IsZero() {
		status.State = api.TunnelState_TUNNEL_STATE_RETRY
	}
	return status
}

// describe fills in how a running tunnel stands.
func (t *tunnel) describe(now time.Time, s *api.TunnelStatus) {
	peer := t.core.Peer()
	s.State = t.state()
	s.CreatedByPeer = t.byPeer
	s.CreatedAt = stamp(t.created)
	s.EstablishedAt = stamp(t.establishedAt)
	s.Uptime = uptime(now, t.establishedAt)
	s.PeerTunnelId = uint32(peer.TunnelID)
	s.PeerAddress = t.peer.String()
	if t.path != nil {
		s.LocalAddress = t.path.Local().String()
	}
	s.PeerHostName = readable(peer.HostName)
	s.PeerVendorName = readable(peer.VendorName)
	s.PeerProtocolVersion = fmt.Sprintf("%d.%d", peer.ProtocolVersion, peer.ProtocolRevision)
	s.PeerFirmwareRevision = uint32(peer.FirmwareRevision)
	s.PeerFramingCaps = framingStatus(peer.FramingCapabilities)
	s.PeerBearerCaps = bearerStatus(peer.BearerCapabilities)
	s.PeerAuthenticated = !t.establishedAt.IsZero() && t.settings.core.ChallengePeer
	s.SessionCount = uint32(len(t.sessions))
	s.LocalResult, s.PeerResult = results(t.end)
	s.Control = controlStatus(t.core.Stats(), peer.ReceiveWindow)
}

func (t *tunnel) state() api.TunnelState {
	if t.end != nil || t.closing {
		return api.TunnelState_TUNNEL_STATE_CLOSING
	}
	switch t.core.State() {
	case l2tp.TunnelWaitCtlReply:
		return api.TunnelState_TUNNEL_STATE_WAIT_CTL_REPLY
	case l2tp.TunnelWaitCtlConn:
		return api.TunnelState_TUNNEL_STATE_WAIT_CTL_CONN
	case l2tp.TunnelEstablished:
		return api.TunnelState_TUNNEL_STATE_ESTABLISHED
	}
	return api.TunnelState_TUNNEL_STATE_IDLE
}

func controlStatus(s l2tp.Stats, window uint16) *api.ControlStatus {
	return &api.ControlStatus{
		Ns:               uint32(s.Ns),
		Nr:               uint32(s.Nr),
		PeerNr:           uint32(s.Ns - uint16(s.Outstanding)),
		TxWindow:         uint32(s.SendWindow),
		PeerRxWindowSize: uint32(window),
		Cwnd:             uint32(s.CWND),
		Ssthresh:         uint32(s.SSThresh),
		Queued:           uint32(s.Outstanding + s.Queued),
		TxMessages:       total(s.Sent),
		RxMessages:       total(s.Received),
		Retransmits:      uint64(s.Retransmits),
		RxDuplicates:     uint64(s.Duplicates),
		RxOutOfOrder:     uint64(s.OutOfOrder),
		RxBad:            uint64(s.Malformed),
		TxZlb:            uint64(s.ZLBSent),
		RxZlb:            uint64(s.ZLBReceived),
		TxHello:          uint64(s.Sent[l2tp.TypeHELLO]),
		RxHello:          uint64(s.Received[l2tp.TypeHELLO]),
	}
}

func total(counts l2tp.MessageCounts) uint64 {
	var n uint64
	for _, c := range counts {
		n += uint64(c)
	}
	return n
}

// results tells a result that we sent from one that the peer sent.
func results(end *l2tp.End) (local, peer *api.Result) {
	if end == nil || end.Lost {
		return nil, nil
	}
	r := &api.Result{
		ResultCode: uint32(end.Result.Code),
		ErrorCode:  uint32(end.Result.Error),
		Message:    readable(end.Result.Message),
	}
	if end.ByPeer {
		return nil, r
	}
	return r, nil
}

// whose says on whose account a tunnel or call ended.
func whose(end l2tp.End) string {
	switch {
	case end.Lost:
		return "lost"
	case end.ByPeer:
		return "peer"
	}
	return "local"
}

// status describes a call, whether an attempt runs or not.
func (c *call) status(now time.Time) *api.Session {
	return sessionSubject{c, c.session}.status(now)
}

// status describes a session: what was asked, if it was by command, and how it stands.
func (f sessionSubject) status(now time.Time) *api.Session {
	s := &api.Session{}
	if asked := f.asked(); asked != nil {
		s = proto.CloneOf(asked)
	}
	s.Status = &api.SessionStatus{}
	if name := f.in().name(); name != "" {
		s.TunnelName = &name
	}
	if f.call != nil {
		s.TunnelId = new(uint32(f.call.dialer.id))
		s.Status = f.call.retryStatus()
		s.Status.Dataplane = f.call.dialer.shard.engine.path.Kind()
	}
	if f.session != nil {
		s.TunnelId = new(uint32(f.session.tunnel.core.ID()))
		s.SessionId = new(uint32(f.session.id))
		s.Status.Dataplane = f.session.engine().path.Kind()
		f.session.describe(now, s.Status)
	}
	return s
}

// retryStatus describes a call that has no session now.
func (c *call) retryStatus() *api.SessionStatus {
	status := &api.SessionStatus{
		State:    api.SessionState_SESSION_STATE_WAIT_TUNNEL,
		Type:     c.asked.GetSessionType(),
		Attempts: c.attempts,
		Cause:    readable(c.cause),
	}
	switch {
	case !c.retry.at.IsZero():
		status.State = api.SessionState_SESSION_STATE_RETRY
	case c.waits:
		status.Cause = "waits until calls before it are through"
	}
	return status
}

// describe fills in how a running session stands.
func (s *session) describe(now time.Time, st *api.SessionStatus) {
	st.State = s.state()
	st.CreatedByPeer = s.wanted == nil
	st.Type = sessionType(s.kind)
	st.CreatedAt = stamp(s.created)
	st.EstablishedAt = stamp(s.establishedAt)
	st.Uptime = uptime(now, s.establishedAt)
	st.PeerSessionId = uint32(s.peerID)
	st.User = readable(s.network.user)
	if s.path != nil {
		st.Interface = s.path.Interface()
	}
	st.ProfileName = s.settings.Parameters.ProfileName
	st.PppProfileName = s.settings.PPP.ProfileName
	st.LocalResult, st.PeerResult = results(s.end)
	if st.Cause == "" {
		st.Cause = readable(s.cause)
	}
	if c := s.call; c != nil {
		st.CallSerialNumber = c.Serial
		st.CallingNumber = readable(c.CallingNumber)
		st.CalledNumber = readable(c.CalledNumber)
		st.SubAddress = readable(c.SubAddress)
		st.TxConnectSpeed = uint64(c.TxConnectSpeed)
		st.RxConnectSpeed = uint64(c.RxConnectSpeed)
		st.FramingType, st.BearerType = framingStatus(c.FramingType), bearerStatus(c.BearerType)
		st.MinimumBps, st.MaximumBps = uint64(c.MinimumBPS), uint64(c.MaximumBPS)
		st.PrivGroupId = readable(c.PrivateGroupID)
		if c.PhysicalChannelID != nil {
			st.PhysicalChannelId = *c.PhysicalChannelID
		}
	}
	st.Sequencing = s.spec().SendSequence
	if s.link != nil {
		st.Ppp = s.linkStatus()
	}
}

func (s *session) state() api.SessionState {
	switch s.phase {
	case closing, gone:
		return api.SessionState_SESSION_STATE_CLOSING
	case up:
		return api.SessionState_SESSION_STATE_UP
	case linking:
		return api.SessionState_SESSION_STATE_ESTABLISHED
	}
	info, _ := s.tunnel.core.Session(s.id)
	switch info.State {
	case l2tp.CallWaitTunnel:
		return api.SessionState_SESSION_STATE_WAIT_TUNNEL
	case l2tp.CallWaitReply:
		return api.SessionState_SESSION_STATE_WAIT_REPLY
	case l2tp.CallWaitConnect:
		return api.SessionState_SESSION_STATE_WAIT_CONNECT
	case l2tp.CallWaitCSAnswer:
		return api.SessionState_SESSION_STATE_WAIT_CS_ANSWER
	}
	return api.SessionState_SESSION_STATE_IDLE
}

// linkStatus describes what PPP has negotiated.
func (s *session) linkStatus() *api.PPPStatus {
	n, terms := &s.network, s.link.Terms()
	lcp, ipcp, ipv6cp := s.link.States()
	st := &api.PPPStatus{
		Phase:       s.link.Phase().String(),
		LocalMru:    uint32(terms.MRU),
		PeerMru:     uint32(terms.PeerMRU),
		Mtu:         uint32(s.mtu()),
		AuthOfPeer:  methodStatus(terms.AuthPeer),
		AuthToPeer:  methodStatus(terms.AuthLocal),
		Pfc:         terms.PFC,
		Acfc:        terms.ACFC,
		LcpState:    lcp.String(),
		IpcpState:   ipcp.String(),
		Ipv6CpState: ipv6cp.String(),
	}
	if n.open4 {
		st.LocalIpv4, st.PeerIpv4 = n.addresses.Local.String(), n.addresses.Peer.String()
	}
	if n.open6 {
		st.LocalInterfaceId = interfaceID(n.addresses.LocalInterfaceID)
		st.PeerInterfaceId = interfaceID(n.addresses.PeerInterfaceID)
	}
	if s.wanted != nil {
		st.Dns = addressTexts(n.addresses.DNS)
	}
	return st
}

func methodStatus(m ppp.AuthMethod) string {
	if m == 0 {
		return ""
	}
	return m.String()
}

// interfaceID writes an identifier as it stands in an address.
func interfaceID(id uint64) string {
	return fmt.Sprintf("%x:%x:%x:%x", id>>48, id>>32&0xffff, id>>16&0xffff, id&0xffff)
}

func addressTexts(addrs [2]netip.Addr) []string {
	var texts []string
	for _, a := range validOf(addrs) {
		texts = append(texts, a.String())
	}
	return texts
}

func countersStatus(c dataplane.Counters) *api.Counters {
	return &api.Counters{
		RxPackets:    c.RxPackets,
		RxBytes:      c.RxBytes,
		RxErrors:     c.RxErrors,
		RxDropped:    c.RxDropped,
		RxOosPackets: c.RxOutOfSequence,
		TxPackets:    c.TxPackets,
		TxBytes:      c.TxBytes,
		TxErrors:     c.TxErrors,
	}
}

func framingStatus(f l2tp.Framing) api.Framing {
	switch f & (l2tp.FramingSync | l2tp.FramingAsync) {
	case l2tp.FramingSync:
		return api.Framing_FRAMING_SYNC
	case l2tp.FramingAsync:
		return api.Framing_FRAMING_ASYNC
	case 0:
		return api.Framing_FRAMING_NONE
	}
	return api.Framing_FRAMING_ANY
}

func bearerStatus(b l2tp.Bearer) api.Bearer {
	switch b & (l2tp.BearerDigital | l2tp.BearerAnalog) {
	case l2tp.BearerDigital:
		return api.Bearer_BEARER_DIGITAL
	case l2tp.BearerAnalog:
		return api.Bearer_BEARER_ANALOG
	case 0:
		return api.Bearer_BEARER_NONE
	}
	return api.Bearer_BEARER_ANY
}

func (e *Engine) systemStatus(now time.Time) *api.SystemStatus {
	st := &api.SystemStatus{
		Version:             e.version,
		StartedAt:           stamp(e.started),
		Uptime:              uptime(now, e.started),
		Dataplane:           e.path.Kind(),
		DataplaneNote:       e.note,
		Survival:            e.survival(),
		Tunnels:             uint32(e.count.tunnels.Load()),
		TunnelsEstablished:  uint32(e.count.tunnelsEstablished.Load()),
		Sessions:            uint32(e.count.sessions.Load()),
		SessionsEstablished: uint32(e.count.sessionsEstablished.Load()),
		SessionsUp:          uint32(e.count.sessionsUp.Load()),
		HalfOpenTunnels:     uint32(e.count.halfOpen.Load()),
		SessionsInSetup:     uint32(e.count.settingUp.Load()),
		TunnelsCreated:      e.count.tunnelsCreated.Load(),
		SessionsCreated:     e.count.sessionsCreated.Load(),
		TunnelsRefused:      e.count.tunnelsRefused.Load(),
		SessionsRefused:     e.count.sessionsRefused.Load(),
		RxBadPackets:        e.total.badPackets(),
	}
	for _, s := range e.shards {
		st.RxDroppedPackets += s.mail.droppedPackets()
	}
	for _, addr := range e.Listening() {
		st.Listen = append(st.Listen, addr.String())
	}
	return st
}

func (e *Engine) poolStatus(name string) *api.PoolStatus {
	s, ok := e.pools.Status(name)
	if !ok {
		return nil
	}
	return &api.PoolStatus{
		Total:       uint64(s.Total),
		Allocated:   uint64(s.Allocated),
		Free:        uint64(s.Free),
		Allocations: s.Allocations,
		Releases:    s.Releases,
		Failures:    s.Failures,
	}
}

// stamp is a time for the API; one that has not come is left out.
func stamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

// uptime is the whole seconds since a time, 0 if it has not come.
func uptime(now, since time.Time) uint64 {
	if since.IsZero() {
		return 0
	}
	return uint64(now.Sub(since) / time.Second)
}

// readable is a text of a peer's, as the API can carry it. RFC 2661 has names, numbers and
// messages that need not be UTF-8.
func readable(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }
