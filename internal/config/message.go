package config

import (
	"fmt"
	"net/netip"
	"time"

	"culvert/api"
)

// The functions here turn structs back into messages: what runs, in the form in
// which it is shown. What is empty is not set.

func inSeconds(d time.Duration) *uint32 { return new(uint32(d / time.Second)) }

func number[N ~int | ~uint8 | ~uint16 | ~uint32](n N) *uint32 { return new(uint32(n)) }

func text[S ~string](s S) *string {
	if s == "" {
		return nil
	}
	return new(string(s))
}

func addressText(a netip.Addr) *string {
	if !a.IsValid() {
		return nil
	}
	return new(a.String())
}

func data[S ~string](s S) []byte {
	if s == "" {
		return nil
	}
	return []byte(s)
}

func tunnelMessage(t Tunnel) *api.Tunnel {
	p := t.Parameters
	m := &api.Tunnel{
		TunnelName:      text(t.Name),
		DestIpaddr:      text(t.Dest.String()),
		ProfileName:     text(p.ProfileName),
		PeerProfileName: text(t.PeerProfileName),
		Parameters: &api.TunnelParameters{
			SrcIpaddr:          addressText(p.Src),
			PeerUdpPort:        number(p.PeerUDPPort),
			OurUdpPort:         number(p.OurUDPPort),
			UseTiebreaker:      &p.UseTieBreaker,
			FramingCaps:        &p.FramingCaps,
			BearerCaps:         &p.BearerCaps,
			HostName:           text(p.HostName),
			Secret:             text(p.Secret),
			AuthMode:           &p.AuthMode,
			HideAvps:           &p.HideAVPs,
			RxWindowSize:       number(p.RxWindowSize),
			TxWindowSize:       number(p.TxWindowSize),
			UseUdpChecksums:    &p.UseUDPChecksums,
			Persist:            &p.Persist,
			PersistDelay:       inSeconds(p.PersistDelay),
			PersistMaxDelay:    inSeconds(p.PersistMaxDelay),
			HelloTimeout:       inSeconds(p.HelloTimeout),
			MaxRetries:         number(p.MaxRetries),
			RetryTimeout:       inSeconds(p.RetryTimeout),
			IdleTimeout:        inSeconds(p.IdleTimeout),
			MaxSessions:        number(p.MaxSessions),
			Mtu:                number(p.MTU),
			SessionProfileName: text(t.SessionProfileName),
			PppProfileName:     text(t.PPPProfileName),
			AllowPppProxy:      &p.AllowPPPProxy,
			DoPmtuDiscovery:    &p.DoPMTUDiscovery,
			TraceFlags:         number(uint32(p.Trace)),
			InterfaceName:      text(p.InterfaceName),
		},
	}
	if t.ConfigID != 0 {
		m.ConfigId = number(t.ConfigID)
	}
	return m
}

func sessionMessage(r Session) *api.Session {
	p := r.Parameters
	m := &api.Session{
		SessionName:           text(r.Name),
		ProfileName:           text(p.ProfileName),
		SessionType:           &r.Type,
		UserName:              text(r.UserName),
		UserPassword:          text(r.UserPassword),
		CallingNumber:         text(r.CallingNumber),
		CalledNumber:          text(r.CalledNumber),
		SubAddress:            text(r.SubAddress),
		ProxyAuthName:         text(r.Proxy.AuthName),
		ProxyAuthChallenge:    data(r.Proxy.AuthChallenge),
		ProxyAuthResponse:     data(r.Proxy.AuthResponse),
		InitialRcvdLcpConfreq: data(r.Proxy.InitialReceivedConfReq),
		LastSentLcpConfreq:    data(r.Proxy.LastSentConfReq),
		LastRcvdLcpConfreq:    data(r.Proxy.LastReceived),
		Parameters: &api.SessionParameters{
			PppProfileName:     text(r.PPP.ProfileName),
			SequencingRequired: &p.SequencingRequired,
			UseSequenceNumbers: &p.UseSequenceNumbers,
			ReorderTimeout:     new(uint32(p.ReorderTimeout / time.Millisecond)),
			PrivGroupId:        text(p.PrivGroupID),
			InterfaceName:      text(p.InterfaceName),
			FramingType:        &p.FramingType,
			BearerType:         &p.BearerType,
			MinimumBps:         &p.MinimumBPS,
			MaximumBps:         &p.MaximumBPS,
			ConnectSpeed:       new(fmt.Sprintf("%d:%d", p.RxConnectSpeed, p.TxConnectSpeed)),
			UsePppProxy:        &p.UsePPPProxy,
			NoPpp:              &p.NoPPP,
			TraceFlags:         number(uint32(p.Trace)),
		},
	}
	if r.Proxy.AuthType != 0 {
		m.ProxyAuthType = &r.Proxy.AuthType
	}
	if r.Proxy.AuthID != 0 {
		m.ProxyAuthId = number(r.Proxy.AuthID)
	}
	return m
}

func pppMessage(p PPPParameters) *api.PPPProfile {
	return &api.PPPProfile{
		ProfileName:              text(p.ProfileName),
		Mtu:                      number(p.MTU),
		Mru:                      number(p.MRU),
		AuthPap:                  &p.AuthPAP,
		AuthChap:                 &p.AuthCHAP,
		AuthMschapv1:             &p.AuthMSCHAPv1,
		AuthMschapv2:             &p.AuthMSCHAPv2,
		AuthEap:                  &p.AuthEAP,
		AuthPeer:                 &p.AuthPeer,
		ChapInterval:             inSeconds(p.CHAPInterval),
		ChapMaxChallenge:         number(p.CHAPMaxChallenge),
		ChapRestart:              inSeconds(p.CHAPRestart),
		LcpMaxConfigRequests:     number(p.MaxConfigRequests),
		LcpMaxConfigNaks:         number(p.MaxConfigNaks),
		LcpMaxTerminateRequests:  number(p.MaxTerminateRequests),
		LcpRetransmitInterval:    inSeconds(p.RetransmitInterval),
		LcpEchoInterval:          inSeconds(p.EchoInterval),
		LcpEchoFailureCount:      number(p.EchoFailureCount),
		Ipv4:                     &p.IPv4,
		Ipv6:                     &p.IPv6,
		LocalIpaddr:              addressText(p.LocalAddr),
		RemoteIpaddr:             addressText(p.RemoteAddr),
		DnsIpaddrPri:             addressText(p.DNS[0]),
		DnsIpaddrSec:             addressText(p.DNS[1]),
		WinsIpaddrPri:            addressText(p.WINS[0]),
		WinsIpaddrSec:            addressText(p.WINS[1]),
		IpPoolName:               text(p.PoolName),
		DefaultRoute:             &p.DefaultRoute,
		AcceptDns:                &p.AcceptDNS,
		LocalName:                text(p.LocalName),
		RemoteName:               text(p.RemoteName),
		TraceFlags:               number(uint32(p.Trace)),
		Asyncmap:                 &p.AsyncMap,
		SyncMode:                 &p.SyncMode,
		PapMaxAuthRequests:       number(p.PAPMaxAuthRequests),
		PapRestartInterval:       inSeconds(p.PAPRestartInterval),
		PapTimeout:               inSeconds(p.PAPTimeout),
		IdleTimeout:              inSeconds(p.IdleTimeout),
		MaxConnectTime:           inSeconds(p.MaxConnectTime),
		MaxFailureCount:          number(p.MaxFailureCount),
		IpcpMaxConfigRequests:    number(p.NCPMaxConfigRequests),
		IpcpMaxConfigNaks:        number(p.NCPMaxConfigNaks),
		IpcpMaxTerminateRequests: number(p.NCPMaxTerminateRequests),
		IpcpRetransmitInterval:   inSeconds(p.NCPRetransmitInterval),
		ProxyArp:                 &p.ProxyARP,
	}
}
