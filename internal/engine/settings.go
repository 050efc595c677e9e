package engine

import (
	"cmp"
	"net/netip"
	"time"

	"culvert/api"
	"culvert/internal/config"
	"culvert/l2tp"
	"culvert/ppp"
)

// unlimited stands for no time limit at all.
const unlimited = 10 * 365 * 24 * time.Hour

// tunnelSettings is what the profiles say about a tunnel, and what its core
// makes of it. It is shared by tunnels that agree in all of it.
type tunnelSettings struct {
	config.TunnelParameters
	resolved config.Tunnel
	core     *l2tp.Config
	src      netip.Addr // our end; invalid: by the route
	port     uint16     // our end; 0: ephemeral
}

// local is our end of the tunnel.
func (t *tunnelSettings) local() netip.AddrPort { return netip.AddrPortFrom(t.src, t.port) }

// sessionSettings is what the profiles say about a session, and what its link
// makes of it. It is shared by sessions that agree in all of it.
type sessionSettings struct {
	config.Session
	link  *ppp.Config // over synchronous calls
	async *ppp.Config // over calls that may be asynchronous; the same if nothing differs
}

// linkConfig returns how the link over a call behaves.
func (s *sessionSettings) linkConfig(c *l2tp.Call) *ppp.Config {
	if c != nil && c.FramingType&l2tp.FramingAsync != 0 {
		return s.async
	}
	return s.link
}

// settingsCache keeps what is shared, for one snapshot of the configuration:
// 100,000 sessions of one profile have one ppp.Config.
type settingsCache struct {
	snapshot *config.Snapshot
	tunnels  map[tunnelKey]*tunnelSettings
	sessions map[sessionKey]*sessionSettings
	calls    map[callKey]*sessionSettings
}

type tunnelKey struct {
	tunnel config.Tunnel
	local  netip.AddrPort
}

type sessionKey struct {
	session  config.Session
	incoming bool
}

// callKey names the calls for which the profiles say the same: those that peers ask
// for in tunnels with the same settings.
type callKey struct {
	tunnel *tunnelSettings
	kind   l2tp.CallKind
}

// use empties the cache if the configuration has changed since.
func (c *settingsCache) use(snapshot *config.Snapshot) {
	if c.snapshot != snapshot || c.tunnels == nil {
		c.snapshot = snapshot
		c.tunnels = make(map[tunnelKey]*tunnelSettings)
		c.sessions = make(map[sessionKey]*sessionSettings)
		c.calls = make(map[callKey]*sessionSettings)
	}
}

// tunnel returns the settings of a tunnel whose end here is local.
func (c *settingsCache) tunnel(
	snapshot *config.Snapshot, t config.Tunnel, local netip.AddrPort,
) *tunnelSettings {
	c.use(snapshot)
	key := tunnelKey{t, local}
	if found := c.tunnels[key]; found != nil {
		return found
	}
	made := &tunnelSettings{
		TunnelParameters: t.Parameters,
		resolved:         t,
		core:             l2tpConfig(t.Parameters, snapshot.System()),
		src:              local.Addr(),
		port:             local.Port(),
	}
	c.tunnels[key] = made
	return made
}

// incoming returns the settings of a call that the peer asks for.
func (c *settingsCache) incoming(
	snapshot *config.Snapshot, t *tunnelSettings, kind l2tp.CallKind,
) *sessionSettings {
	c.use(snapshot)
	key := callKey{t, kind}
	found := c.calls[key]
	if found == nil {
		asked := snapshot.IncomingSession(t.resolved, sessionType(kind), nil)
		found = c.session(snapshot, asked, true)
		c.calls[key] = found
	}
	return found
}

// session returns the settings of a session.
func (c *settingsCache) session(
	snapshot *config.Snapshot, s config.Session, incoming bool,
) *sessionSettings {
	c.use(snapshot)
	key := sessionKey{s, incoming}
	if found := c.sessions[key]; found != nil {
		return found
	}
	link := pppConfig(s, incoming)
	made := &sessionSettings{Session: s, link: link, async: link}
	if s.PPP.SyncMode == api.SyncMode_SYNC_MODE_ANY && link.NoACCM {
		made.async = new(*link)
		made.async.NoACCM = false
	}
	c.sessions[key] = made
	return made
}

// l2tpConfig makes a core's configuration from what profiles say.
func l2tpConfig(p config.TunnelParameters, sys config.System) *l2tp.Config {
	return &l2tp.Config{
		HostName:                cmp.Or(p.HostName, sys.HostName),
		FramingCapabilities:     cmp.Or(framing(p.FramingCaps), l2tp.FramingNone),
		BearerCapabilities:      bearer(p.BearerCaps),
		Secret:                  l2tp.Secret(p.Secret),
		ChallengePeer:           p.AuthMode == api.AuthMode_AUTH_MODE_CHALLENGE,
		HideAVPs:                p.HideAVPs,
		UseTieBreaker:           p.UseTieBreaker,
		ReceiveWindow:           uint16(p.RxWindowSize),
		SendWindow:              uint16(p.TxWindowSize),
		RetransmitInterval:      p.RetryTimeout,
		MaxRetransmits:          p.MaxRetries,
		HelloInterval:           p.HelloTimeout,
		HelloSpread:             helloSpread(p.HelloTimeout),
		EstablishTimeout:        cmp.Or(sys.TunnelEstablishTimeout, unlimited),
		SessionEstablishTimeout: cmp.Or(sys.SessionEstablishTimeout, unlimited),
		MaxSessions:             p.MaxSessions,
	}
}

// helloSpread keeps the Hellos of many tunnels apart: tunnels that began at once
// would ask at once for ever. A short interval is kept as it is.
func helloSpread(interval time.Duration) time.Duration {
	if interval < 10*time.Second {
		return 0
	}
	return 750 * time.Millisecond
}

// pppConfig makes a link's configuration from what profiles say.
func pppConfig(s config.Session, incoming bool) *ppp.Config {
	p := s.PPP
	cfg := &ppp.Config{
		MRU:          uint16(p.MRU),
		ACCM:         p.AsyncMap,
		NoACCM:       !asksACCM(p),
		AuthLocal:    methods(p),
		LocalName:    p.LocalName,
		User:         s.UserName,
		Password:     ppp.Secret(s.UserPassword),
		AuthTimeout:  authTimeout(p),
		AuthInterval: p.CHAPRestart,
		AuthAttempts: p.CHAPMaxChallenge,
		Rechallenge:  p.CHAPInterval,
		PAPInterval:  p.PAPRestartInterval,
		PAPAttempts:  p.PAPMaxAuthRequests,
		PAPTimeout:   cmp.Or(p.PAPTimeout, unlimited),
		LCP: ppp.Limits{
			RestartInterval: p.RetransmitInterval,
			MaxConfigure:    p.MaxConfigRequests,
			MaxTerminate:    p.MaxTerminateRequests,
			MaxFailure:      p.MaxConfigNaks,
		},
		NCP: ppp.Limits{
			RestartInterval: p.NCPRetransmitInterval,
			MaxConfigure:    p.NCPMaxConfigRequests,
			MaxTerminate:    p.NCPMaxTerminateRequests,
			MaxFailure:      p.NCPMaxConfigNaks,
		},
		EchoInterval: p.EchoInterval,
		EchoFailures: p.EchoFailureCount,
		NoIPv4:       !p.IPv4,
		IPv6:         p.IPv6,
		RequestDNS:   p.AcceptDNS && !incoming,
	}
	if p.AuthPeer {
		// No method at all would let everybody in. The configuration refuses that;
		// should it ever get here, the safest is asked for.
		if cfg.AuthPeer = methods(p); len(cfg.AuthPeer) == 0 {
			cfg.AuthPeer = []ppp.AuthMethod{ppp.MSCHAPv2}
		}
	}
	if s.UserName == "" {
		cfg.AuthLocal = nil
	}
	return cfg
}

// asksACCM tells whether the peer is asked which characters to escape, whatever
// the framing of the call.
func asksACCM(p config.PPPParameters) bool {
	if p.SyncMode == api.SyncMode_SYNC_MODE_ANY {
		return p.AsyncMapSet
	}
	return p.SyncMode == api.SyncMode_SYNC_MODE_ASYNC
}

// authTimeout bounds authentication as a whole: it leaves room for all that the
// profile has repeated.
func authTimeout(p config.PPPParameters) time.Duration {
	return max(time.Minute,
		time.Duration(p.CHAPMaxChallenge)*p.CHAPRestart+time.Second,
		time.Duration(p.PAPMaxAuthRequests)*p.PAPRestartInterval+time.Second)
}

// methods are the authentication methods that a profile allows, the safest first.
func methods(p config.PPPParameters) []ppp.AuthMethod {
	var allowed []ppp.AuthMethod
	for _, m := range []struct {
		on     bool
		method ppp.AuthMethod
	}{
		{p.AuthMSCHAPv2, ppp.MSCHAPv2},
		{p.AuthCHAP, ppp.CHAPMD5},
		{p.AuthEAP, ppp.EAP},
		{p.AuthMSCHAPv1, ppp.MSCHAPv1},
		{p.AuthPAP, ppp.PAP},
	} {
		if m.on {
			allowed = append(allowed, m.method)
		}
	}
	return allowed
}

// asCall is what we say of a call of ours, in ICRQ, ICCN, OCRQ or OCCN.
func (s *sessionSettings) asCall() l2tp.Call {
	p := &s.Parameters
	return l2tp.Call{
		BearerType:         bearer(p.BearerType),
		FramingType:        framing(p.FramingType),
		CalledNumber:       s.CalledNumber,
		CallingNumber:      s.CallingNumber,
		SubAddress:         s.SubAddress,
		MinimumBPS:         p.MinimumBPS,
		MaximumBPS:         p.MaximumBPS,
		TxConnectSpeed:     p.TxConnectSpeed,
		RxConnectSpeed:     p.RxConnectSpeed,
		PrivateGroupID:     p.PrivGroupID,
		SequencingRequired: p.SequencingRequired,
		Proxy:              asProxy(s.Proxy),
	}
}

// asProxy is what we say that we have done with the caller, or nil.
func asProxy(p config.Proxy) *l2tp.Proxy {
	if p == (config.Proxy{}) {
		return nil
	}
	return &l2tp.Proxy{
		InitialReceivedConfReq: octets(p.InitialReceivedConfReq),
		LastSentConfReq:        octets(p.LastSentConfReq),
		LastReceivedConfReq:    octets(p.LastReceived),
		AuthType:               l2tp.ProxyAuthType(p.AuthType), // the RFC's numbers
		AuthName:               p.AuthName,
		AuthChallenge:          octets(p.AuthChallenge),
		AuthID:                 p.AuthID,
		AuthResponse:           l2tp.Secret(p.AuthResponse),
	}
}

// octets are those of a text, nil for none.
func octets(text string) []byte {
	if text == "" {
		return nil
	}
	return []byte(text)
}

func framing(f api.Framing) l2tp.Framing {
	switch f {
	case api.Framing_FRAMING_SYNC:
		return l2tp.FramingSync
	case api.Framing_FRAMING_ASYNC:
		return l2tp.FramingAsync
	case api.Framing_FRAMING_ANY:
		return l2tp.FramingSync | l2tp.FramingAsync
	}
	return 0
}

func bearer(b api.Bearer) l2tp.Bearer {
	switch b {
	case api.Bearer_BEARER_DIGITAL:
		return l2tp.BearerDigital
	case api.Bearer_BEARER_ANALOG:
		return l2tp.BearerAnalog
	case api.Bearer_BEARER_ANY:
		return l2tp.BearerDigital | l2tp.BearerAnalog
	}
	return 0
}

func sessionType(kind l2tp.CallKind) api.SessionType {
	return [...]api.SessionType{
		l2tp.LACIncoming: api.SessionType_SESSION_TYPE_LAIC,
		l2tp.LNSIncoming: api.SessionType_SESSION_TYPE_LNIC,
		l2tp.LACOutgoing: api.SessionType_SESSION_TYPE_LAOC,
		l2tp.LNSOutgoing: api.SessionType_SESSION_TYPE_LNOC,
	}[kind]
}
