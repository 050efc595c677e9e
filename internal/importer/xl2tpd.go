package importer

import (
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"

	"go4.org/netipx"

	"culvert/internal/config"
)

// An xl2tpd is what its files come to, on the way to a draft.
type xl2tpd struct {
	draft   *draft
	options map[string]File // pppd's options by their base name
	given   vault
	secrets []File          // of pppd
	known   []string        // peers with a secret of their own
	used    map[string]bool // names that we authenticate with
	access  bool            // only peers in a "lac" statement may come
	lns     []*xl2tpdSection
	lacs    []*xl2tpdSection
}

// An xl2tpdSection is [lns NAME] or [lac NAME].
type xl2tpdSection struct {
	head       statement
	statements []statement

	tunnel, session, ppp target
	name                 string
	pppd                 pppdReader

	// Of a LAC.
	lnsHost, user  string
	autodial       bool
	redial         bool
	wait           string
	peers          []netip.Prefix // of an LNS
	pool           netipx.IPSetBuilder
	noPool         bool
	requiredMethod string
}

// readXl2tpd reads xl2tpd.conf, and of the others those that are secrets or
// options of pppd, by their names.
func readXl2tpd(d *draft, files []File) error {
	x := &xl2tpd{draft: d, options: make(map[string]File), given: make(vault),
		used: make(map[string]bool)}
	var main []File
	for _, f := range files {
		switch base := filepath.Base(f.Name); {
		case strings.Contains(base, "l2tp-secrets"):
			x.tunnelSecrets(f)
		case strings.Contains(base, "secrets"):
			x.given.open(f)
			x.secrets = append(x.secrets, f)
		case strings.HasPrefix(strings.TrimSpace(withoutComments(f.Text, ";")), "["):
			main = append(main, f)
		case isBlank(f.Text):
		default:
			x.options[base] = f
		}
	}
	for _, f := range main {
		if err := x.read(f); err != nil {
			return err
		}
	}
	if len(main) == 0 && len(x.options) == len(files) {
		return errors.New("config import xl2tpd: expected xl2tpd.conf among the files: " +
			"one that begins with a section, such as [global]")
	}
	return x.finish()
}

// isBlank reports whether nothing but comments stands in a file.
func isBlank(text string) bool { return strings.TrimSpace(withoutComments(text, ";#")) == "" }

func withoutComments(text, comments string) string {
	var b strings.Builder
	for line := range strings.SplitSeq(text, "\n") {
		if cut := strings.IndexAny(line, comments); cut >= 0 {
			line = line[:cut]
		}
		b.WriteString(strings.TrimSpace(line) + "\n")
	}
	return b.String()
}

// read sorts the statements of a file into its sections.
func (x *xl2tpd) read(f File) error {
	all, err := iniFormat{comments: ";", lower: true}.statements(f)
	if err != nil {
		return err
	}
	var current *xl2tpdSection
	for _, s := range all {
		kind, name, _ := strings.Cut(s.section, " ")
		switch {
		case s.key == "[" && kind == "lns":
			current = &xl2tpdSection{head: s, name: name}
			x.lns = append(x.lns, current)
		case s.key == "[" && kind == "lac":
			current = &xl2tpdSection{head: s, name: name}
			x.lacs = append(x.lacs, current)
		case s.key == "[" && kind == "global":
			current = nil
		case s.key == "[":
			return fmt.Errorf("%s:%d: unknown section [%s]: expected global, lns NAME or lac NAME",
				s.file, s.line, s.section)
		case current != nil:
			current.statements = append(current.statements, s)
		default:
			x.global(s)
		}
	}
	return nil
}

const noSAref = "not used here: several clients behind one address are told apart without it"

func (x *xl2tpd) global(s statement) {
	x.draft.apply(map[string]rule{
		"port":        toNothing("1701", "start culvertd with --listen 0.0.0.0:"+s.value),
		"listen-addr": without("start culvertd with --listen " + s.value),
		"auth file":   needless,
		"access control": func(_ *draft, s statement) error {
			x.access = s.on()
			return nil
		},
		"debug avp":     trace("avp_info,avp_data"),
		"debug network": trace("transport"),
		"debug packet":  trace("protocol"),
		"debug state":   trace("fsm"),
		"debug tunnel":  trace("data"),
		"max retries":   to(defaultTunnel, "max_retries"),

		"ipsec saref": unless(false, noSAref), "saref refinfo": without(noSAref),
		"force userspace": unless(false, "the kernel carries the packets; --dataplane tun does without it"),
		"rand source":     needless,
	}, s)
}

// trace adds trace flags of the system where the switch is on.
func trace(flags string) rule {
	return func(d *draft, s statement) error {
		if !s.on() {
			return nil
		}
		return d.add(system, "trace_flags", flags)
	}
}

// tunnelSecrets carries l2tp-secrets over: us, them, secret.
func (x *xl2tpd) tunnelSecrets(f File) {
	for _, l := range secretLines(f) {
		if err := x.tunnelSecret(l); err != nil {
			x.draft.note(l.statement, "%s", err)
			continue
		}
		x.draft.carried++
	}
}

func (x *xl2tpd) tunnelSecret(l secretLine) error {
	if len(l.words) < 3 {
		return errors.New("expected us, them and secret")
	}
	us, them, secret := l.words[0], l.words[1], l.words[2]
	if them == "*" {
		if us != "*" && us != x.draft.get(defaultTunnel, "host_name") {
			if err := x.draft.setDefault(defaultTunnel, "host_name", us); err != nil {
				return err
			}
		}
		return x.draft.set(defaultTunnel, "secret", secret)
	}
	profile := target{"tunnel profile", safeName(them)}
	if err := x.draft.set(profile, "secret", secret); err != nil {
		return err
	}
	if us != "*" {
		if err := x.draft.set(profile, "host_name", us); err != nil {
			return err
		}
	}
	x.known = append(x.known, safeName(them))
	return x.draft.set(target{"peer profile", safeName(them)}, "tunnel_profile_name", profile.name)
}

// finish carries the sections over: those called default first, since they
// hold for the others.
func (x *xl2tpd) finish() error {
	for _, s := range x.lns {
		x.section(s, "lns")
		if err := x.finishLNS(s); err != nil {
			return err
		}
	}
	var base []statement
	for _, s := range x.lacs {
		if s.name == "default" {
			base = append(base, s.statements...)
		}
	}
	for _, s := range x.lacs {
		if s.name == "default" {
			continue
		}
		s.statements = append(append([]statement(nil), base...), s.statements...)
		x.section(s, "lac")
		if err := x.finishLAC(s); err != nil {
			return err
		}
	}
	// Where nobody calls us, the secrets are for us to authenticate with.
	for _, f := range x.secrets {
		if len(x.lns) > 0 {
			x.draft.addUsers(f, x.used)
		}
	}
	return nil
}

// callsToo reports whether profiles called default must not have what [lns default]
// says, since profiles of our own calls inherit from them, as nothing does in xl2tpd.
// Other LNS sections need them as they are.
func (x *xl2tpd) callsToo() bool {
	named := func(s *xl2tpdSection) bool { return s.name != config.Default }
	return slices.ContainsFunc(x.lacs, named) && !slices.ContainsFunc(x.lns, named)
}

// section carries the statements of a section over into profiles of its name.
func (x *xl2tpd) section(s *xl2tpdSection, kind string) {
	name := safeName(s.name)
	if name == config.Default && (kind == "lac" || x.callsToo()) {
		name = kind
	}
	s.tunnel = target{"tunnel profile", name}
	s.session = target{"session profile", name}
	s.ppp = target{"ppp profile", name}
	s.pppd = pppdReader{draft: x.draft, ppp: s.ppp}
	rules := x.rules(s)
	for _, st := range s.statements {
		x.draft.apply(rules, st)
	}
}

// rules says what becomes of the statements of a section.
func (x *xl2tpd) rules(s *xl2tpdSection) map[string]rule {
	speed := func(rx, tx bool) rule {
		return func(d *draft, st statement) error { return s.speed(d, st.value, rx, tx) }
	}
	rules := map[string]rule{
		"exclusive":    unless(false, "a peer may open several tunnels: max_tunnels limits all"),
		"ip range":     addRange((*netipx.IPSetBuilder).AddRange, &s.pool),
		"no ip range":  addRange((*netipx.IPSetBuilder).RemoveRange, &s.pool),
		"assign ip":    func(_ *draft, st statement) error { s.noPool = !st.on(); return nil },
		"lac":          func(_ *draft, st statement) error { return s.addPeers(st.value) },
		"no lac":       without("a peer cannot be kept out by its address: use a firewall"),
		"hidden bit":   toSwitch(s.tunnel, "hide_avps"),
		"local ip":     to(s.ppp, "local_ipaddr"),
		"remote ip":    to(s.ppp, "remote_ipaddr"),
		"length bit":   needless,
		"name":         func(_ *draft, st statement) error { s.user = st.value; return nil },
		"hostname":     to(s.tunnel, "host_name"),
		"ppp debug":    x.pppDebug(s),
		"pass peer":    unless(false, noScripts),
		"pppoptfile":   x.pppOptions(s),
		"call rws":     needless,
		"tunnel rws":   to(s.tunnel, "rx_window_size"),
		"flow bit":     toSwitch(s.session, "use_sequence_numbers"),
		"flow bits":    toSwitch(s.session, "use_sequence_numbers"),
		"challenge":    x.challenge(s),
		"rx bps":       speed(true, false),
		"tx bps":       speed(false, true),
		"bps":          speed(true, true),
		"require pap":  s.require("auth_pap"),
		"require chap": s.require("auth_chap"),
		"refuse pap":   s.refuse("auth_pap"),
		"refuse chap":  s.refuse("auth_chap", "auth_mschapv1", "auth_mschapv2"),
		"lns":          s.setLNS,
		"autodial":     func(_ *draft, st statement) error { s.autodial = st.on(); return nil },
		"redial":       func(_ *draft, st statement) error { s.redial = st.on(); return nil },
		"max redials":  toZero(s.ppp, "max_failure_count", "unlimited"),
		"defaultroute": toSwitch(s.ppp, "default_route"),
		"cap backoff":  to(s.tunnel, "persist_max_delay"),
		"redial timeout": func(_ *draft, st statement) error {
			s.wait = st.value
			return nil
		},
		"require authentication": toSwitch(s.ppp, "auth_peer"),
		"refuse authentication":  toNot(s.ppp, "auth_peer"),
		"unix authentication":    unless(false, "passwords of the system are not used: users are created with theirs"),
		"local ip range":         without("our address is one for all sessions: local ip"),
	}
	return rules
}

func (x *xl2tpd) pppDebug(s *xl2tpdSection) rule {
	return func(d *draft, st statement) error {
		if !st.on() {
			return nil
		}
		return d.set(s.ppp, "trace_flags", "ppp_control")
	}
}

// pppOptions carries the file of pppd's options over, if it was given.
func (x *xl2tpd) pppOptions(s *xl2tpdSection) rule {
	return func(d *draft, st statement) error {
		f, ok := x.options[filepath.Base(st.value)]
		if !ok {
			return fmt.Errorf("not among the files given: give it too")
		}
		s.pppd.read(f)
		return nil
	}
}

// challenge asks the peer for its response, which needs a secret.
func (x *xl2tpd) challenge(s *xl2tpdSection) rule {
	return func(d *draft, st statement) error {
		if !st.on() {
			return nil
		}
		if d.get(s.tunnel, "secret") == "" && d.get(defaultTunnel, "secret") == "" {
			return errors.New("needs a secret for every peer: give l2tp-secrets too")
		}
		return d.set(s.tunnel, "auth_mode", "challenge")
	}
}

func (s *xl2tpdSection) speed(d *draft, bps string, rx, tx bool) error {
	r, t, _ := strings.Cut(d.get(s.session, "connect_speed"), ":")
	if rx {
		r = bps
	}
	if tx {
		t = bps
	}
	if r == "" {
		r = "0"
	}
	if t == "" {
		t = "1000000"
	}
	return d.set(s.session, "connect_speed", r+":"+t)
}

// require has the peer authenticate by one method.
func (s *xl2tpdSection) require(method string) rule {
	return func(d *draft, st statement) error {
		if !st.on() {
			return nil
		}
		if s.requiredMethod != "" && s.requiredMethod != method {
			return fmt.Errorf("one method is required above already: both are allowed")
		}
		s.requiredMethod = method
		for _, m := range authMethods {
			allowed := m == method || method == "auth_chap" && strings.Contains(m, "mschap")
			if err := d.set(s.ppp, m, yesNo(allowed)); err != nil {
				return err
			}
		}
		return d.set(s.ppp, "auth_peer", "yes")
	}
}

func (s *xl2tpdSection) refuse(methods ...string) rule {
	return func(d *draft, st statement) error {
		if !st.on() {
			return nil
		}
		for _, m := range methods {
			if err := d.set(s.ppp, m, "no"); err != nil {
				return err
			}
		}
		return nil
	}
}

// addRange adds addresses to a pool or takes some away, in the order of the
// statements.
func addRange(
	change func(*netipx.IPSetBuilder, netipx.IPRange), pool *netipx.IPSetBuilder,
) rule {
	return func(_ *draft, st statement) error {
		r, err := parseRange(st.value)
		if err == nil {
			change(pool, r)
		}
		return err
	}
}

// parseRange reads A-B or A, with blanks around "-".
func parseRange(text string) (netipx.IPRange, error) {
	from, to, two := strings.Cut(text, "-")
	if !two {
		to = from
	}
	first, err := netip.ParseAddr(strings.TrimSpace(from))
	if err == nil {
		var last netip.Addr
		if last, err = netip.ParseAddr(strings.TrimSpace(to)); err == nil && !last.Less(first) {
			return netipx.IPRangeFrom(first, last), nil
		}
	}
	return netipx.IPRange{}, fmt.Errorf("expected addresses: FIRST-LAST")
}

// addPeers notes the LACs that the section is for.
func (s *xl2tpdSection) addPeers(text string) error {
	r, err := parseRange(text)
	if err != nil {
		return err
	}
	s.peers = append(s.peers, r.Prefixes()...)
	return nil
}

func (s *xl2tpdSection) setLNS(_ *draft, st statement) error {
	if s.lnsHost != "" {
		return errors.New("a second LNS is not tried: give the name both addresses in the DNS")
	}
	s.lnsHost = st.value
	return nil
}
