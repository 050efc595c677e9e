package l2tp

// Reconfigure gives a running tunnel another configuration. Timers and limits
// hold from the next time that they are set; what the peer was told already
// (names, windows, capabilities, secrets) stays as it was said.
func (t *Tunnel) Reconfigure(cfg *Config) {
	t.cfg = cfg
	t.d.cfg = cfg
	if len(t.d.sent) == 0 {
		t.d.interval = cfg.retransmitInterval()
	}
}
