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

func (c *Config) restartInterval() time.Duration {
	return orDefault(c.RestartInterval, 3*time.Second)
}

func (c *Config) authTimeout() time.Duration  { return orDefault(c.AuthTimeout, 60*time.Second) }
func (c *Config) authInterval() time.Duration { return orDefault(c.AuthInterval, 3*time.Second) }
func (c *Config) authAttempts() int           { return orDefault(c.AuthAttempts, 10) }
func (c *Config) maxConfigure() int           { return orDefault(c.MaxConfigure, 10) }
func (c *Config) maxTerminate() int           { return orDefault(c.MaxTerminate, 2) }
func (c *Config) maxFailure() int             { return orDefault(c.MaxFailure, 5) }
func (c *Config) echoFailures() int           { return orDefault(c.EchoFailures, 5) }
