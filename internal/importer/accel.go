package importer

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// An accel is what the files of accel-ppp come to, on the way to a draft.
type accel struct {
	draft   *draft
	modules map[string]bool
	secrets map[string]File // by their base name
	gateway string
	rules   map[string]map[string]rule // by section
}

// readAccel reads accel-ppp.conf, and the files of secrets that it names.
func readAccel(d *draft, files []File) error {
	a := &accel{draft: d, modules: make(map[string]bool), secrets: make(map[string]File)}
	a.rules = a.sections()
	var main []File
	for _, f := range files {
		if strings.Contains(filepath.Base(f.Name), "secrets") {
			a.secrets[filepath.Base(f.Name)] = f
			continue
		}
		main = append(main, f)
	}
	for _, f := range main {
		all, err := iniFormat{comments: "#"}.statements(f)
		if err != nil {
			return err
		}
		for _, s := range all {
			a.statement(s)
		}
	}
	if len(main) == 0 {
		return fmt.Errorf("config import accel-ppp: expected accel-ppp.conf among the files")
	}
	return a.finish(main[0])
}

// foreign are sections of which nothing can be carried over, and why.
var foreign = map[string]string{
	"core": "", "log": "start culvertd with --log", "log-pgsql": "start culvertd with --log",
	"pppd-compat": noScripts, "pptp": "PPTP is not spoken", "pppoe": noPPPoE, "ipoe": "IPoE is not spoken",
	"sstp": "SSTP is not spoken", "radius": noRADIUS, "shaper": noRates,
	"connlimit":    "set-ups are limited as a whole: culvertd -y",
	"cli":          noCLI,
	"snmp":         "there is no SNMP: /metrics has the figures",
	"ipv6-pool":    noIPv6,
	"ipv6-dns":     noIPv6,
	"ipv6-dhcp":    noIPv6,
	"ipv6-nd":      noIPv6,
	"accel-dp":     noData,
	"client-range": "",
}

// statement carries a statement over by the rules of its section.
func (a *accel) statement(s statement) {
	s.secret = strings.Contains(s.key, "secret") && s.section != "modules" || s.key == "password"
	why, isForeign := foreign[s.section]
	switch {
	case s.key == "[":
		if isForeign && why != "" {
			a.draft.note(statement{file: s.file, line: s.line}, "section [%s]: %s", s.section, why)
		} else if !isForeign && a.rules[s.section] == nil && !a.free(s.section) {
			a.draft.note(statement{file: s.file, line: s.line}, "section [%s]: unknown to the importer", s.section)
		}
	case isForeign:
	case s.section == "modules":
		a.modules[s.key] = true
	case s.section == "ip-pool" && s.value == "" || s.section == "ip-pool" && strings.Contains(s.key, ","):
		a.pool(s)
	case s.section == "client-ip-range":
		a.clients(s)
	case a.rules[s.section] != nil:
		a.draft.apply(a.rules[s.section], s)
	}
}

// free reports whether a section has no fixed keys.
func (a *accel) free(section string) bool {
	return section == "modules" || section == "client-ip-range"
}

// sections are the rules of the sections that have a counterpart.
func (a *accel) sections() map[string]map[string]rule {
	return map[string]map[string]rule{
		"common": a.common(), "ppp": a.ppp(), "auth": a.auth(), "l2tp": a.tunnels(),
		"dns":  {"dns1": to(defaultPPP, "dns_ipaddr_pri"), "dns2": to(defaultPPP, "dns_ipaddr_sec")},
		"wins": {"wins1": to(defaultPPP, "wins_ipaddr_pri"), "wins2": to(defaultPPP, "wins_ipaddr_sec")},
		"ip-pool": {
			"gw-ip-address": a.setGateway,
			"attr":          without(noRADIUS), "vendor": without(noRADIUS), "verbose": needless,
			"shuffle": needless, "gw": a.setGateway,
		},
		"chap-secrets": {
			"gw-ip-address": a.setGateway,
			"chap-secrets":  a.readSecrets,
			"encrypted":     unless(false, "passwords must be given as they are"),
			"username-hash": without("names of users must be given as they are"),
		},
	}
}

func (a *accel) common() map[string]rule {
	return map[string]rule{
		"max-sessions":               toZero(system, "max_sessions", "unlimited"),
		"max-starting":               without("start culvertd with -y N"),
		"session-timeout":            toZero(defaultPPP, "max_connect_time", "unlimited"),
		"single-session":             without("a user may have several sessions"),
		"single-session-ignore-case": needless,
		"sid-case":                   needless, "sid-source": needless, "seq-file": needless,
		"check-ip":      unless(true, "an address is given to one session at a time"),
		"nl-snd-buffer": needless, "nl-rcv-buffer": needless,
	}
}

func (a *accel) ppp() map[string]rule {
	return map[string]rule{
		"verbose": needless, "mtu": to(defaultPPP, "mtu"), "mru": to(defaultPPP, "mru"),
		"min-mtu": without("no peer is refused for a small MRU"), "max-mtu": to(defaultTunnel, "mtu"),
		"accomp": needless, "pcomp": needless, "ccp": unless(false, noMPPE), "ccp-max-configure": needless,
		"mppe": func(_ *draft, s statement) error {
			if s.value == "deny" {
				return nil
			}
			return fmt.Errorf("%s", noMPPE)
		},
		"max-configure": to(defaultPPP, "lcp_max_config_requests"),
		"max-failure":   to(defaultPPP, "lcp_max_config_naks"),
		"max-terminate": to(defaultPPP, "lcp_max_terminate_requests"),
		"check-ip":      needless,
		"ipv4":          a.network("ipv4"), "ipv6": a.network("ipv6"),
		"ipv6-intf-id":             without("interface identifiers are random"),
		"ipv6-peer-intf-id":        without("interface identifiers are the peer's choice"),
		"ipv6-accept-peer-intf-id": unless(true, "the peer's interface identifier is accepted"),
		"lcp-echo-interval":        toZero(defaultPPP, "lcp_echo_interval", "off"),
		"lcp-echo-failure":         to(defaultPPP, "lcp_echo_failure_count"),
		"lcp-echo-timeout":         a.echoTimeout,
		"unit-cache":               needless, "unit-preallocate": needless,
	}
}

// network turns deny, allow, prefer and require into a switch.
func (a *accel) network(param string) rule {
	return func(d *draft, s statement) error {
		switch s.value {
		case "deny":
			return d.set(defaultPPP, param, "no")
		case "allow", "prefer", "require":
			if err := d.set(defaultPPP, param, "yes"); err != nil || s.value != "require" {
				return err
			}
			return fmt.Errorf("it is carried, and a peer that refuses it is kept all the same")
		}
		return fmt.Errorf("expected deny, allow, prefer or require")
	}
}

// echoTimeout is how long the peer may say nothing at all.
func (a *accel) echoTimeout(d *draft, s statement) error {
	interval := cmp.Or(d.get(defaultPPP, "lcp_echo_interval"), "30")
	return d.set(defaultPPP, "lcp_echo_failure_count", quotient(s.value, interval))
}

func (a *accel) auth() map[string]rule {
	return map[string]rule{
		"timeout":        toZero(defaultPPP, "pap_timeout", "unlimited"),
		"interval":       toZero(defaultPPP, "chap_interval", "never"),
		"max-failure":    without("a peer that fails once is refused"),
		"any-login":      unless(false, "nobody is let in with any name: create users, or auth_none=yes"),
		"noauth":         toSwitch(defaultPPP, "auth_none"),
		"challenge-name": to(defaultPPP, "local_name"),
	}
}

func (a *accel) tunnels() map[string]rule {
	return map[string]rule{
		"verbose": needless, "dictionary": needless, "avp_permissive": needless, "dir300_quirk": needless,
		"bind":           without("start culvertd with --listen ADDRESS"),
		"port":           without("start culvertd with --listen 0.0.0.0:PORT"),
		"host-name":      to(defaultTunnel, "host_name"),
		"hello-interval": toZero(defaultTunnel, "hello_timeout", "off"),
		"timeout":        toZero(system, "tunnel_establish_timeout", "unlimited"),
		"rtimeout":       to(defaultTunnel, "retry_timeout"),
		"rtimeout-cap":   without("retransmissions are at most 8 s apart"),
		"retransmit":     to(defaultTunnel, "max_retries"),
		"recv-window":    to(defaultTunnel, "rx_window_size"),
		"hide-avps":      toSwitch(defaultTunnel, "hide_avps"),
		"secret": func(d *draft, s statement) error {
			if s.value == "" {
				return nil
			}
			if err := d.set(defaultTunnel, "secret", s.value); err != nil {
				return err
			}
			return d.set(defaultTunnel, "auth_mode", "challenge")
		},
		"dataseq": a.dataSequence,
		"reorder-timeout": func(d *draft, s statement) error {
			return toZero(defaultSession, "reorder_timeout", "off")(d, s)
		},
		"use-ephemeral-ports": func(d *draft, s statement) error {
			if !s.on() {
				return nil
			}
			return d.set(defaultTunnel, "our_udp_port", "ephemeral")
		},
		"ip-pool": func(d *draft, s statement) error {
			return d.set(defaultPPP, "ip_pool_name", safeName(s.value))
		},
		"ipv6-pool": without(noIPv6), "ipv6-pool-delegate": without(noIPv6),
		"ifname":          without("interfaces are named by interface_name: l2tp%t-%s"),
		"mppe":            without(noMPPE),
		"session-timeout": toZero(defaultPPP, "max_connect_time", "unlimited"),
		"ppp-max-mtu":     to(defaultTunnel, "mtu"),
	}
}

func (a *accel) dataSequence(d *draft, s statement) error {
	switch s.value {
	case "deny", "allow":
		return nil
	case "prefer":
		return d.set(defaultSession, "use_sequence_numbers", "yes")
	case "require":
		return d.set(defaultSession, "sequencing_required", "yes")
	}
	return fmt.Errorf("expected deny, allow, prefer or require")
}

// setGateway is our address on all links.
func (a *accel) setGateway(d *draft, s statement) error {
	address, _, _ := strings.Cut(s.value, "/")
	if a.gateway != "" && a.gateway != address {
		return fmt.Errorf("our address is one for all sessions: %s", a.gateway)
	}
	a.gateway = address
	return d.set(defaultPPP, "local_ipaddr", address)
}

func (a *accel) readSecrets(d *draft, s statement) error {
	f, ok := a.secrets[filepath.Base(s.value)]
	if !ok {
		return fmt.Errorf("not among the files given: give it too")
	}
	delete(a.secrets, filepath.Base(s.value))
	d.addUsers(f, nil)
	return nil
}

// pool reads a line of [ip-pool]: RANGE[,name=NAME][,next=NAME], where a range is
// a prefix, an address, or one whose last part goes up to another: 10.0.0.2-99.
func (a *accel) pool(s statement) {
	whole := s.key
	if s.value != "" {
		whole += "=" + s.value
	}
	s.key, s.value = whole, ""
	parts := strings.Split(whole, ",")
	name := "default"
	for _, p := range parts[1:] {
		key, value, _ := strings.Cut(strings.TrimSpace(p), "=")
		switch {
		case key == "name":
			name = safeName(value)
		case key != "allocator":
			a.draft.note(s, "%s: a pool has no other one after it: add the addresses to it", p)
		}
	}
	r, err := accelRange(strings.TrimSpace(parts[0]))
	if err == nil {
		err = a.draft.addAddresses(target{"pool", name}, r)
	}
	if err != nil {
		a.draft.note(s, "%s", err)
		return
	}
	a.draft.carried++
}

// accelRange turns 10.0.0.2-99 into 10.0.0.2-10.0.0.99. What goes up to 255 ends
// at 254: the broadcast address is given to nobody.
func accelRange(text string) (string, error) {
	first, last, two := strings.Cut(text, "-")
	if !two || strings.Contains(last, ".") {
		return text, nil
	}
	dot := strings.LastIndex(first, ".")
	n, err := strconv.Atoi(last)
	if dot < 0 || err != nil || n > 255 {
		return "", fmt.Errorf("expected a prefix or a range: 10.0.0.2-99")
	}
	return first + "-" + first[:dot+1] + strconv.Itoa(min(n, 254)), nil
}

// clients reads a line of [client-ip-range]: who may open tunnels.
func (a *accel) clients(s statement) {
	if s.key == "disable" {
		return
	}
	text, err := accelRange(s.key)
	if err != nil {
		a.draft.note(s, "%s", err)
		return
	}
	a.draft.note(s, "anybody may open a tunnel: peer profile create profile_name=clients peer_ipaddr=%s "+
		"and auth_mode=simple keep out who has no peer profile", text)
}

// finish sets what follows from the modules.
func (a *accel) finish(main File) error {
	d := a.draft
	if !a.modules["l2tp"] {
		d.note(statement{file: main.Name}, "the module l2tp is not loaded: is this the right file?")
	}
	if err := a.authModules(main); err != nil {
		return err
	}
	if a.modules["radius"] {
		if err := d.set(defaultPPP, "use_radius", "yes"); err != nil {
			return err
		}
	}
	for name := range a.secrets {
		if !a.modules["chap-secrets"] {
			d.note(statement{file: a.secrets[name].Name}, "the module chap-secrets is not loaded: no users were made")
			continue
		}
		d.addUsers(a.secrets[name], nil)
	}
	return a.poolOf()
}

// authModules allows the methods whose modules are loaded.
func (a *accel) authModules(main File) error {
	modules := map[string][]string{
		"auth_pap": {"auth_pap"}, "auth_chap": {"auth_chap_md5", "auth_chap"},
		"auth_mschapv1": {"auth_mschap_v1"}, "auth_mschapv2": {"auth_mschap_v2"}, "auth_eap": nil,
	}
	loaded := func(m string) bool {
		return slices.ContainsFunc(modules[m], func(module string) bool { return a.modules[module] })
	}
	if !slices.ContainsFunc(authMethods, loaded) {
		if a.draft.get(defaultPPP, "auth_none") != "yes" {
			a.draft.note(statement{file: main.Name}, "no module of an authentication method is loaded: "+
				"all methods are allowed")
		}
		return nil
	}
	for _, m := range authMethods {
		if err := a.draft.set(defaultPPP, m, yesNo(loaded(m))); err != nil {
			return err
		}
	}
	return nil
}

// poolOf gives peers their addresses from the pool without a name, unless
// another was named.
func (a *accel) poolOf() error {
	d := a.draft
	named := d.get(defaultPPP, "ip_pool_name")
	if named != "" && !d.has(target{"pool", named}) {
		return fmt.Errorf("config import accel-ppp: [l2tp] ip-pool=%s: there is no such pool in [ip-pool]", named)
	}
	if named == "" && d.has(target{"pool", "default"}) {
		return d.set(defaultPPP, "ip_pool_name", "default")
	}
	return nil
}
