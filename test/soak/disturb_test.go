package soak

import (
	"fmt"
	"syscall"
	"time"

	"culvert/test/lab"
)

// A disturbance is what happens while sessions come and go, until they do so no more. It returns
// the load that runs at its end, nil if there is none.
type disturbance struct {
	name string
	do   func(s *soak, c *load, until time.Time) *load
}

var (
	calm     = disturbance{"loss only", func(_ *soak, c *load, _ time.Time) *load { return c }}
	vanish   = disturbance{"the peer is killed", (*soak).vanish}
	freeze   = disturbance{"peers are stopped for a while", (*soak).freeze}
	reload   = disturbance{"the configuration is reloaded", (*soak).reload}
	kill     = disturbance{"the daemon is killed", (*soak).kill}
	killBoth = disturbance{"the keeper is killed, then the daemon", (*soak).killBoth}
)

// pause waits for a random moment: any will do. It comes within one of so many parts of the
// time that is left.
func (s *soak) pause(until time.Time, parts int) {
	if left := time.Until(until); left > 0 {
		time.Sleep(time.Duration(s.random.Int64N(int64(left)/int64(parts) + 1)))
	}
}

// over reports whether the time is over. The load may have ended then, and takes no signal.
func over(until time.Time) bool { return !time.Now().Before(until) }

// vanish kills those who call, without a word to the LNS, and has others come.
func (s *soak) vanish(c *load, until time.Time) *load {
	s.pause(until, 2)
	if over(until) {
		return c
	}
	c.Kill()
	if left := time.Until(until); left > holdTime {
		return s.startChurn(s.rate, left)
	}
	return nil
}

// freezeTime is less than it takes to find a peer gone.
const freezeTime = 2 * time.Second

// freeze stops those who call, and those whose sessions stay, for a while.
func (s *soak) freeze(c *load, until time.Time) *load {
	for range 2 {
		s.pause(until, 3)
		if over(until) {
			return c
		}
		for _, l := range []*load{c, s.base} {
			l.Signal(syscall.SIGSTOP)
		}
		time.Sleep(freezeTime)
		for _, l := range []*load{c, s.base} {
			l.Signal(syscall.SIGCONT)
		}
	}
	return c
}

// reload has the daemon load another configuration, and the first again.
func (s *soak) reload(c *load, until time.Time) *load {
	config := s.form.lnsConfig()
	for _, text := range []string{config + "user create user_name=guest user_password=tea\n", config} {
		s.pause(until, 3)
		s.lns.WriteFile(text)
		before := s.lns.System().GetRevision()
		s.lns.Signal(syscall.SIGHUP)
		lab.Wait(s.t, wait, "the configuration to be loaded", func() error {
			if s.lns.System().GetRevision() == before {
				return fmt.Errorf("the revision is still %s", before)
			}
			return nil
		})
	}
	return c
}

// kill kills the LNS again and again, and starts it again.
func (s *soak) kill(c *load, until time.Time) *load {
	for range 3 {
		s.pause(until, 2)
		s.killLNS()
	}
	return c
}

func (s *soak) killLNS() {
	s.earlier += s.lns.Metrics()[metricCreated]
	s.lns.Kill()
	s.lns.Restart()
	s.life++
	s.givenBack = 0
	s.checkMembers()
}

// killBoth kills the keeper, and when another one has everything, the LNS.
func (s *soak) killBoth(c *load, until time.Time) *load {
	s.pause(until, 2)
	s.lns.RestartKeeper()
	lab.Wait(s.t, wait, "the new keeper to have everything", func() error {
		if survival := s.lns.System().GetSurvival(); survival != "yes" {
			return fmt.Errorf("survival is %q", survival)
		}
		return nil
	})
	s.pause(until, 2)
	s.killLNS()
	return c
}
