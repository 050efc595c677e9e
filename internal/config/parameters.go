package config

import (
	"log/slog"
	"net/netip"
	"time"

	"culvert/api"
	"culvert/internal/schema"
)

// A Secret is a password or a shared secret. It prints as asterisks everywhere.
type Secret string

const masked = "********"

// String hides the secret.
func (Secret) String() string { return masked }

// GoString hides the secret from %#v.
func (Secret) GoString() string { return masked }

// MarshalText hides the secret from JSON and YAML.
func (Secret) MarshalText() ([]byte, error) { return []byte(masked), nil }

// LogValue hides the secret from slog.
func (Secret) LogValue() slog.Value { return slog.StringValue(masked) }

// System is the object system, resolved.
type System struct {
	MaxTunnels              int // 0: unlimited
	MaxSessions             int // 0: unlimited
	MaxHalfOpenTunnels      int
	MaxTunnelRequests       int // a second; 0: unlimited
	MaxRequestsPerSource    int // source and second; 0: unlimited
	DrainTunnels            bool
	TunnelEstablishTimeout  time.Duration // 0: unlimited
	SessionEstablishTimeout time.Duration // 0: unlimited
	DenyLocalTunnelCreates  bool
	DenyRemoteTunnelCreates bool
	LogLevel                slog.Level
	HostName                string
	Trace                   schema.TraceFlags
	TunnelPersistPend       time.Duration // 0: persist_max_delay of the tunnel
	SessionPersistPend      time.Duration // 0: persist_max_delay of the tunnel
	NoSessionRetry          bool          // session_persist_pend_timeout is never
	APIGroup                string
	APIReadersGroup         string
	API                     APIListener
	MetricsListen           netip.AddrPort // invalid: nowhere
}

// An APIListener is how the API is served over TLS, if Listen is valid.
type APIListener struct {
	Listen                     netip.AddrPort
	Certificate, Key, ClientCA string   // files in PEM
	Admins, Readers            []string // names in certificates; "*" is any
}

// A Host is where a tunnel leads: an address, or a name that is resolved when
// the tunnel is opened. One of the two is set.
type Host struct {
	Addr netip.Addr
	Name string
}

// String gives the address or the name.
func (h Host) String() string {
	if h.Addr.IsValid() {
		return h.Addr.String()
	}
	return h.Name
}

// TunnelParameters is everything that profiles say about a tunnel, resolved.
type TunnelParameters struct {
	ProfileName     string     // the tunnel profile
	Src             netip.Addr // invalid: what the route to the peer gives
	PeerUDPPort     uint16
	OurUDPPort      uint16 // 0: ephemeral
	HostName        string
	Secret          Secret
	AuthMode        api.AuthMode
	HideAVPs        bool
	UseTieBreaker   bool
	FramingCaps     api.Framing
	BearerCaps      api.Bearer
	RxWindowSize    int
	TxWindowSize    int
	UseUDPChecksums bool

	HelloTimeout    time.Duration // 0: off
	MaxRetries      int
	RetryTimeout    time.Duration
	IdleTimeout     time.Duration // 0: off
	MaxSessions     int           // 0: unlimited
	MTU             int
	Persist         bool
	PersistDelay    time.Duration
	PersistMaxDelay time.Duration

	AllowPPPProxy   bool
	DoPMTUDiscovery bool
	Trace           schema.TraceFlags
	InterfaceName   string // a pattern, empty: that of the session
}

// SessionParameters is everything that profiles say about a session, resolved.
type SessionParameters struct {
	ProfileName        string // the session profile
	SequencingRequired bool
	UseSequenceNumbers bool
	ReorderTimeout     time.Duration // 0: off
	PrivGroupID        string
	InterfaceName      string // a pattern; see InterfaceName in interface.go
	FramingType        api.Framing
	BearerType         api.Bearer
	MinimumBPS         uint32
	MaximumBPS         uint32
	RxConnectSpeed     uint32
	TxConnectSpeed     uint32
	UsePPPProxy        bool
	NoPPP              bool
	Trace              schema.TraceFlags
}

// PPPParameters is everything that profiles say about a PPP link, resolved.
type PPPParameters struct {
	ProfileName string // the PPP profile
	MTU         int    // the tunnel's, which may be less, may change later
	MRU         int    // no more than the tunnel's

	AuthPeer     bool // the peer must authenticate
	AuthPAP      bool
	AuthCHAP     bool
	AuthMSCHAPv1 bool
	AuthMSCHAPv2 bool
	AuthEAP      bool
	LocalName    string

	CHAPInterval     time.Duration // 0: never again
	CHAPMaxChallenge int
	CHAPRestart      time.Duration

	MaxConfigRequests    int
	MaxConfigNaks        int
	MaxTerminateRequests int
	RetransmitInterval   time.Duration
	EchoInterval         time.Duration // 0: off
	EchoFailureCount     int

	IPv4         bool
	IPv6         bool
	LocalAddr    netip.Addr // invalid: what the peer gives us
	RemoteAddr   netip.Addr // invalid: from the pool or what the peer asks for
	DNS          [2]netip.Addr
	WINS         [2]netip.Addr
	PoolName     string // empty: none
	DefaultRoute bool
	AcceptDNS    bool

	RemoteName         string // the only name that the peer may have; empty: any
	Trace              schema.TraceFlags
	AsyncMap           uint32
	AsyncMapSet        bool // by a profile, rather than built in
	SyncMode           api.SyncMode
	PAPMaxAuthRequests int
	PAPRestartInterval time.Duration
	PAPTimeout         time.Duration // 0: unlimited
	IdleTimeout        time.Duration // 0: off
	MaxConnectTime     time.Duration // 0: unlimited
	MaxFailureCount    int           // 0: unlimited

	// Of the network control protocols; those above are of LCP.
	NCPMaxConfigRequests    int
	NCPMaxConfigNaks        int
	NCPMaxTerminateRequests int
	NCPRetransmitInterval   time.Duration

	ProxyARP bool
}

// A Tunnel is a tunnel that a command creates, resolved.
type Tunnel struct {
	Name            string // may be empty
	ID              uint16 // 0: a free one, at random
	Dest            Host
	ConfigID        uint16 // 0: a free one from 1 to 99
	PeerProfileName string
	Role            api.Role // what the peer profile lets us be
	Parameters      TunnelParameters

	// Chosen for the tunnel's sessions, for ResolveSession.
	SessionProfileName string
	PPPProfileName     string
}

// A Session is a session, resolved: one that a command creates or one that a
// peer began.
type Session struct {
	Name          string // may be empty
	ID            uint16 // 0: a free one, at random
	Type          api.SessionType
	UserName      string
	UserPassword  Secret
	CallingNumber string
	CalledNumber  string
	SubAddress    string
	Proxy         Proxy
	Parameters    SessionParameters
	PPP           PPPParameters
}

// A Proxy is what a LAC says that it has done with the caller (RFC 2661, 4.4.5).
// The fields are strings so that a Session can be compared.
type Proxy struct {
	AuthType                                              api.ProxyAuthType
	AuthName                                              string
	AuthID                                                uint8
	AuthChallenge                                         string
	AuthResponse                                          Secret
	InitialReceivedConfReq, LastSentConfReq, LastReceived string
}

// A Peer is what the peer profiles say about a peer that opens a tunnel.
type Peer struct {
	ProfileName string // the peer profile
	// Matched is whether a peer profile other than default fits: what
	// AUTH_MODE_SIMPLE asks for.
	Matched bool
	// Port is the one from which the peer must come and does not; 0: it may come
	// from where it comes.
	Port uint16
	// Tunnel has no Name, ID or Dest: pass it to ResolveSession for each of the
	// tunnel's sessions.
	Tunnel Tunnel
}

// A User is a local user, resolved.
type User struct {
	Name     string
	Password Secret
	Addr     netip.Addr // invalid: from the pool
	PoolName string     // empty: that of the PPP profile
}

// A Pool is an address pool as it is configured.
type Pool struct {
	Name      string
	Addresses []string // prefixes and ranges, as pool.ParseBlock takes them
	Reserved  []string
	Drain     bool
	Trace     bool
	MaxAddrs  int // 0: unlimited
}
