package ppp

import "time"

// What a zero field of a Config means.

func orDefault[T int | uint16 | time.Duration](v, def T) T {
	if v <= 0 {
		return def
	}
	return v
}

func (c *Config) mru() uint16 {
	return min(max(orDefault(c.MRU, defaultMRU), minMRU), 16384)
}

func (c *Config) authTimeout() time.Duration  { return orDefault(c.AuthTimeout, 60*time.Second) }
func (c *Config) authInterval() time.Duration { return orDefault(c.AuthInterval, 3*time.Second) }
func (c *Config) authAttempts() int           { return orDefault(c.AuthAttempts, 10) }
func (c *Config) papInterval() time.Duration  { return orDefault(c.PAPInterval, c.authInterval()) }
func (c *Config) papAttempts() int            { return orDefault(c.PAPAttempts, c.authAttempts()) }
func (c *Config) papTimeout() time.Duration   { return orDefault(c.PAPTimeout, c.authTimeout()) }
func (c *Config) echoFailures() int           { return orDefault(c.EchoFailures, 5) }

// limits returns those of a control protocol.
func (c *Config) limits(i int) Limits {
	l := c.LCP.or(Limits{
		RestartInterval: 3 * time.Second, MaxConfigure: 10, MaxTerminate: 2, MaxFailure: 5,
	})
	if i == lcpIndex {
		return l
	}
	return c.NCP.or(l)
}

func (l Limits) or(def Limits) Limits {
	return Limits{
		RestartInterval: orDefault(l.RestartInterval, def.RestartInterval),
		MaxConfigure:    orDefault(l.MaxConfigure, def.MaxConfigure),
		MaxTerminate:    orDefault(l.MaxTerminate, def.MaxTerminate),
		MaxFailure:      orDefault(l.MaxFailure, def.MaxFailure),
	}
}
