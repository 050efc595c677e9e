package bench

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"culvert/l2tp"
	"culvert/ppp"
)

// A Config says what a run does. Complete fills in defaults and says what is wrong.
type Config struct {
	Target     netip.AddrPort // the LNS
	Sources    []netip.Addr   // tunnels take them in turn; none: the route's choice
	SourcePort uint16         // shared by the tunnels of a source; 0: each has its own

	Tunnels  int
	Sessions int // in all tunnels together; they take turns

	Rate        float64 // calls a second; 0: as Concurrency has it
	Concurrency int     // calls in set-up at once; default 64, or no limit where Rate is set

	Duration time.Duration // of the run, from its begin; 0: until nothing is left to do
	Hold     time.Duration // how long a session stays; 0: to the run's end
	Churn    bool          // sessions and tunnels that ended for whatever reason are begun anew

	// ConnectTimeout is for a tunnel, and for a session until it has an address; default 60 s.
	ConnectTimeout time.Duration
	End            Ending // default EndCalls

	HostName      Pattern // of the tunnel; default culvert-bench
	Secret        l2tp.Secret
	ChallengePeer bool
	HelloInterval time.Duration // 0: none are sent
	Window        uint16        // the receive window that we offer; default 64

	Auth          []ppp.AuthMethod // what we agree to; none: the LNS must not ask
	User          Pattern          // of the session
	FirstUser     int              // the number of the first session's user
	Users         int              // so many, then again from the first; 0: one each
	Password      ppp.Secret
	CallingNumber Pattern
	CalledNumber  Pattern
	MRU           uint16 // default 1500

	EchoInterval time.Duration // 0: none are sent
	EchoFailures int           // default 5

	Traffic Traffic

	// Progress, if set, is called by the run's loop each second and at its end.
	Progress func(Progress)
}

// An Ending is how sessions and tunnels end when the run does.
type Ending string

// The endings.
const (
	EndCalls   Ending = "calls"   // a CDN for each session, then a StopCCN for each tunnel
	EndTunnels Ending = "tunnels" // a StopCCN for each tunnel
	EndVanish  Ending = "vanish"  // not a word, as if the LACs lost power
)

// The defaults of a Config.
const (
	DefaultConcurrency    = 64
	DefaultConnectTimeout = time.Minute
	DefaultWindow         = 64
	DefaultHostName       = "culvert-bench"
)

// MaxTunnels is how many tunnels a run may have: they share the identifiers.
const MaxTunnels = 60000

// maxPerTunnel is how many sessions a tunnel may have.
const maxPerTunnel = 65000

// Complete fills in defaults and says what is wrong.
func (c *Config) Complete() error {
	if err := c.checkSizes(); err != nil {
		return err
	}
	if err := c.checkTimes(); err != nil {
		return err
	}
	for _, a := range c.Sources {
		if a.Is4() != c.Target.Addr().Is4() {
			return fmt.Errorf("source %v: expected an address of the same family as %v", a,
				c.Target.Addr())
		}
	}
	c.setDefaults()
	return c.Traffic.complete(c.Sessions)
}

func (c *Config) checkSizes() error {
	switch {
	case !c.Target.IsValid() || c.Target.Port() == 0:
		return errors.New("target: expected an address and a port")
	case c.Tunnels < 1 || c.Tunnels > MaxTunnels:
		return fmt.Errorf("%d tunnels: expected 1 to %d", c.Tunnels, MaxTunnels)
	case c.Sessions < 0 || c.Sessions > c.Tunnels*maxPerTunnel:
		return fmt.Errorf("%d sessions: expected 0 to %d in %d tunnels", c.Sessions,
			c.Tunnels*maxPerTunnel, c.Tunnels)
	case c.Rate < 0 || c.Concurrency < 0:
		return errors.New("rate and concurrency: expected 0 or more")
	case c.Users < 0 || c.FirstUser < 0:
		return errors.New("users and first user: expected 0 or more")
	case c.ChallengePeer && c.Secret == "":
		return errors.New("challenging the LNS: expected a tunnel secret")
	}
	return nil
}

func (c *Config) checkTimes() error {
	for _, t := range []struct {
		name string
		time.Duration
	}{
		{"duration", c.Duration}, {"hold", c.Hold}, {"connect timeout", c.ConnectTimeout},
		{"hello", c.HelloInterval}, {"echo interval", c.EchoInterval},
	} {
		if t.Duration < 0 {
			return fmt.Errorf("%s %v: expected 0 or more", t.name, t.Duration)
		}
	}
	switch c.End {
	case "", EndCalls, EndTunnels, EndVanish:
		return nil
	}
	return fmt.Errorf("end %q: expected %s, %s or %s", c.End, EndCalls, EndTunnels, EndVanish)
}

func (c *Config) setDefaults() {
	if c.Concurrency == 0 {
		if c.Concurrency = DefaultConcurrency; c.Rate > 0 {
			c.Concurrency = max(c.Sessions, 1)
		}
	}
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = DefaultConnectTimeout
	}
	if c.Window == 0 {
		c.Window = DefaultWindow
	}
	if c.HostName == "" {
		c.HostName = DefaultHostName
	}
	if c.End == "" {
		c.End = EndCalls
	}
}

// tunnel is the configuration of a tunnel's core.
func (c *Config) tunnel(n int) *l2tp.Config {
	return &l2tp.Config{
		HostName:                c.HostName.For(n + 1),
		Secret:                  c.Secret,
		ChallengePeer:           c.ChallengePeer,
		ReceiveWindow:           c.Window,
		HelloInterval:           c.HelloInterval,
		HelloSpread:             c.HelloInterval / 10,
		EstablishTimeout:        c.ConnectTimeout,
		SessionEstablishTimeout: 2 * c.ConnectTimeout, // the session's own comes first
		RefuseIncomingCalls:     true,
		RefuseOutgoingCalls:     true,
	}
}

// link is the configuration of a session's link, but for the user.
func (c *Config) link() ppp.Config {
	return ppp.Config{
		MRU:          c.MRU,
		AuthLocal:    c.Auth,
		Password:     c.Password,
		EchoInterval: c.EchoInterval,
		EchoFailures: c.EchoFailures,
	}
}

// user is the name of a session's user.
func (c *Config) user(n int) string { return c.User.For(c.userNumber(n)) }

func (c *Config) userNumber(n int) int {
	if c.Users > 0 {
		n %= c.Users
	}
	return c.FirstUser + n
}

// call is what the ICRQ of a session says.
func (c *Config) call(n int) l2tp.Call {
	number := c.userNumber(n)
	return l2tp.Call{
		FramingType:    l2tp.FramingSync,
		BearerType:     l2tp.BearerDigital,
		CallingNumber:  c.CallingNumber.For(number),
		CalledNumber:   c.CalledNumber.For(number),
		TxConnectSpeed: connectSpeed,
	}
}

// connectSpeed is the speed that our calls claim to have, in bits a second.
const connectSpeed = 100_000_000
