package config

import (
	"cmp"
	"log/slog"
	"net/netip"
	"time"

	"culvert/api"
	"culvert/internal/schema"
)

// The functions here turn messages, in which every parameter with a default is
// set, into structs. What they parse was validated.

func seconds(n uint32) time.Duration { return time.Duration(n) * time.Second }

// address returns an invalid address for an empty text, and for 0.0.0.0, by which
// openl2tp says that there is none.
func address(text string) netip.Addr {
	a, err := netip.ParseAddr(text)
	if err != nil || a.IsUnspecified() {
		return netip.Addr{}
	}
	return a
}

// addressPort returns an invalid one for an empty text.
func addressPort(text string) netip.AddrPort {
	a, err := netip.ParseAddrPort(text)
	if err != nil {
		return netip.AddrPort{}
	}
	return a
}

func systemOf(m *api.System, hostName string) System {
	return System{
		Trace:              schema.TraceFlags(m.GetTraceFlags()),
		TunnelPersistPend:  seconds(m.GetTunnelPersistPendTimeout()),
		SessionPersistPend: seconds(m.GetSessionPersistPendTimeout()),
		NoSessionRetry:     m.SessionPersistPendTimeout != nil && m.GetSessionPersistPendTimeout() == 0,
		APIGroup:           m.GetApiGroup(),
		APIReadersGroup:    m.GetApiReadersGroup(),
		MetricsListen:      addressPort(m.GetMetricsListen()),
		API: APIListener{
			Listen:      addressPort(m.GetApiListen()),
			Certificate: m.GetApiCertificate(),
			Key:         m.GetApiKey(),
			ClientCA:    m.GetApiClientCa(),
			Admins:      m.GetApiAdmins(),
			Readers:     m.GetApiReaders(),
		},

		MaxTunnels:              int(m.GetMaxTunnels()),
		MaxSessions:             int(m.GetMaxSessions()),
		MaxHalfOpenTunnels:      int(m.GetMaxHalfOpenTunnels()),
		MaxTunnelRequests:       int(m.GetTunnelRequestsPerSecond()),
		MaxRequestsPerSource:    int(m.GetTunnelRequestsPerSource()),
		DrainTunnels:            m.GetDrainTunnels(),
		TunnelEstablishTimeout:  seconds(m.GetTunnelEstablishTimeout()),
		SessionEstablishTimeout: seconds(m.GetSessionEstablishTimeout()),
		DenyLocalTunnelCreates:  m.GetDenyLocalTunnelCreates(),
		DenyRemoteTunnelCreates: m.GetDenyRemoteTunnelCreates(),
		LogLevel:                logLevel(m.GetLogLevel()),
		HostName:                cmp.Or(m.GetHostName(), hostName),
	}
}

func logLevel(l api.LogLevel) slog.Level {
	switch l {
	case api.LogLevel_LOG_LEVEL_DEBUG:
		return slog.LevelDebug
	case api.LogLevel_LOG_LEVEL_WARN:
		return slog.LevelWarn
	case api.LogLevel_LOG_LEVEL_ERROR:
		return slog.LevelError
	}
	return slog.LevelInfo
}

func tunnelParameters(p *api.TunnelParameters) TunnelParameters {
	return TunnelParameters{
		Src:             address(p.GetSrcIpaddr()),
		PeerUDPPort:     uint16(p.GetPeerUdpPort()),
		OurUDPPort:      uint16(p.GetOurUdpPort()),
		HostName:        p.GetHostName(),
		Secret:          Secret(p.GetSecret()),
		AuthMode:        p.GetAuthMode(),
		HideAVPs:        p.GetHideAvps(),
		UseTieBreaker:   p.GetUseTiebreaker(),
		FramingCaps:     p.GetFramingCaps(),
		BearerCaps:      p.GetBearerCaps(),
		RxWindowSize:    int(p.GetRxWindowSize()),
		TxWindowSize:    int(p.GetTxWindowSize()),
		UseUDPChecksums: p.GetUseUdpChecksums(),
		HelloTimeout:    seconds(p.GetHelloTimeout()),
		MaxRetries:      int(p.GetMaxRetries()),
		RetryTimeout:    seconds(p.GetRetryTimeout()),
		IdleTimeout:     seconds(p.GetIdleTimeout()),
		MaxSessions:     int(p.GetMaxSessions()),
		MTU:             int(p.GetMtu()),
		Persist:         p.GetPersist(),
		PersistDelay:    seconds(p.GetPersistDelay()),
		PersistMaxDelay: seconds(p.GetPersistMaxDelay()),
		AllowPPPProxy:   p.GetAllowPppProxy(),
		DoPMTUDiscovery: p.GetDoPmtuDiscovery(),
		Trace:           schema.TraceFlags(p.GetTraceFlags()),
		InterfaceName:   p.GetInterfaceName(),
	}
}

func sessionParameters(p *api.SessionParameters) SessionParameters {
	rx, tx, _ := schema.ParseSpeed(p.GetConnectSpeed())
	return SessionParameters{
		SequencingRequired: p.GetSequencingRequired(),
		UseSequenceNumbers: p.GetUseSequenceNumbers(),
		ReorderTimeout:     time.Duration(p.GetReorderTimeout()) * time.Millisecond,
		PrivGroupID:        p.GetPrivGroupId(),
		InterfaceName:      p.GetInterfaceName(),
		FramingType:        p.GetFramingType(),
		BearerType:         p.GetBearerType(),
		MinimumBPS:         p.GetMinimumBps(),
		MaximumBPS:         p.GetMaximumBps(),
		RxConnectSpeed:     rx,
		TxConnectSpeed:     tx,
		UsePPPProxy:        p.GetUsePppProxy(),
		NoPPP:              p.GetNoPpp(),
		Trace:              schema.TraceFlags(p.GetTraceFlags()),
	}
}

func pppParameters(p *api.PPPProfile) PPPParameters {
	return PPPParameters{
		MTU:                  int(p.GetMtu()),
		MRU:                  int(p.GetMru()),
		AuthPAP:              p.GetAuthPap(),
		AuthCHAP:             p.GetAuthChap(),
		AuthMSCHAPv1:         p.GetAuthMschapv1(),
		AuthMSCHAPv2:         p.GetAuthMschapv2(),
		AuthEAP:              p.GetAuthEap(),
		LocalName:            p.GetLocalName(),
		CHAPInterval:         seconds(p.GetChapInterval()),
		CHAPMaxChallenge:     int(p.GetChapMaxChallenge()),
		CHAPRestart:          seconds(p.GetChapRestart()),
		MaxConfigRequests:    int(p.GetLcpMaxConfigRequests()),
		MaxConfigNaks:        int(p.GetLcpMaxConfigNaks()),
		MaxTerminateRequests: int(p.GetLcpMaxTerminateRequests()),
		RetransmitInterval:   seconds(p.GetLcpRetransmitInterval()),
		EchoInterval:         seconds(p.GetLcpEchoInterval()),
		EchoFailureCount:     int(p.GetLcpEchoFailureCount()),
		IPv4:                 p.GetIpv4(),
		IPv6:                 p.GetIpv6(),
		LocalAddr:            address(p.GetLocalIpaddr()),
		RemoteAddr:           address(p.GetRemoteIpaddr()),
		DNS:                  [2]netip.Addr{address(p.GetDnsIpaddrPri()), address(p.GetDnsIpaddrSec())},
		WINS:                 [2]netip.Addr{address(p.GetWinsIpaddrPri()), address(p.GetWinsIpaddrSec())},
		PoolName:             p.GetIpPoolName(),
		DefaultRoute:         p.GetDefaultRoute(),
		AcceptDNS:            p.GetAcceptDns(),

		RemoteName:         p.GetRemoteName(),
		Trace:              schema.TraceFlags(p.GetTraceFlags()),
		AsyncMap:           p.GetAsyncmap(),
		SyncMode:           p.GetSyncMode(),
		PAPMaxAuthRequests: int(p.GetPapMaxAuthRequests()),
		PAPRestartInterval: seconds(p.GetPapRestartInterval()),
		PAPTimeout:         seconds(p.GetPapTimeout()),
		IdleTimeout:        seconds(p.GetIdleTimeout()),
		MaxConnectTime:     seconds(p.GetMaxConnectTime()),
		MaxFailureCount:    int(p.GetMaxFailureCount()),

		NCPMaxConfigRequests:    int(cmp.Or(p.GetIpcpMaxConfigRequests(), p.GetLcpMaxConfigRequests())),
		NCPMaxConfigNaks:        int(cmp.Or(p.GetIpcpMaxConfigNaks(), p.GetLcpMaxConfigNaks())),
		NCPMaxTerminateRequests: int(cmp.Or(p.GetIpcpMaxTerminateRequests(), p.GetLcpMaxTerminateRequests())),
		NCPRetransmitInterval:   seconds(cmp.Or(p.GetIpcpRetransmitInterval(), p.GetLcpRetransmitInterval())),

		ProxyARP: p.GetProxyArp(),
	}
}

func userOf(m *api.User) User {
	return User{
		Name:     m.GetUserName(),
		Password: Secret(m.GetUserPassword()),
		Addr:     address(m.GetIpaddr()),
		PoolName: m.GetIpPoolName(),
	}
}

func poolOf(m *api.Pool) Pool {
	return Pool{
		Name:      m.GetPoolName(),
		Addresses: m.GetAddresses(),
		Reserved:  m.GetReserved(),
		Drain:     m.GetDrain(),
		Trace:     m.GetTrace(),
		MaxAddrs:  int(m.GetMaxAddrs()),
	}
}

func proxyOf(m *api.Session) Proxy {
	return Proxy{
		AuthType:               m.GetProxyAuthType(),
		AuthName:               m.GetProxyAuthName(),
		AuthID:                 uint8(m.GetProxyAuthId()),
		AuthChallenge:          string(m.GetProxyAuthChallenge()),
		AuthResponse:           Secret(m.GetProxyAuthResponse()),
		InitialReceivedConfReq: string(m.GetInitialRcvdLcpConfreq()),
		LastSentConfReq:        string(m.GetLastSentLcpConfreq()),
		LastReceived:           string(m.GetLastRcvdLcpConfreq()),
	}
}
