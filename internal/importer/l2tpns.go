package importer

import (
	"cmp"
	"fmt"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
)

// readL2tpns reads startup-config, ip_pool and users.
func readL2tpns(d *draft, files []File) error {
	l := &l2tpns{draft: d}
	for _, f := range files {
		switch base := filepath.Base(f.Name); {
		case strings.HasPrefix(base, "ip_pool"):
			l.pool(f, base)
		case base == "users":
			l.users(f)
		case strings.HasPrefix(base, "build-"):
			d.note(statement{file: f.Name}, "walled gardens are not imported")
		default:
			l.startup(f)
		}
	}
	return l.finish()
}

// An l2tpns is what its files come to, on the way to a draft.
type l2tpns struct {
	draft      *draft
	echo, dead string // echo_timeout and idle_echo_timeout
	radius     bool
	own, peer  string // bind_address and peer_address
}

// startup reads startup-config: commands of the configuration mode.
func (l *l2tpns) startup(f File) {
	for i, line := range strings.Split(f.Text, "\n") {
		words := fields(line)
		if len(words) == 0 {
			continue
		}
		s := statement{file: f.Name, line: i + 1, key: words[0]}
		if words[0] == "set" && len(words) > 1 {
			s.key, s.value = words[1], strings.Join(words[2:], " ")
			s.secret = strings.Contains(s.key, "secret")
			l.draft.apply(l.rules(), s)
			continue
		}
		s.value = strings.Join(words[1:], " ")
		l.command(s, words)
	}
}

// command tells what becomes of a command that sets no variable.
func (l *l2tpns) command(s statement, words []string) {
	why, known := map[string]string{
		"load":       "plugins of l2tpns cannot be used",
		"add":        "ranges of addresses are in pools: pool modify",
		"setforward": "forwarding of calls to another LNS is not imported",
		"router":     "BGP is not imported",
		"neighbour":  "BGP is not imported",
		"neighbor":   "BGP is not imported",
		"no":         "BGP and access lists are not imported",
		"exit":       "",
		"ip":         "access lists are not imported",
		"permit":     "access lists are not imported",
		"deny":       "access lists are not imported",
	}[words[0]]
	s.secret = words[0] == "setforward"
	switch {
	case !known:
		l.draft.note(s, "unknown to the importer")
	case why != "":
		l.draft.note(s, "%s", why)
	}
}

// The reasons that hold for many variables.
const (
	noCluster = "clusters are not imported"
	noData    = "the kernel carries the packets"
	noCLI     = "l2tpconfig is used on the machine itself, or over TLS: api_listen"
	noRADIUS  = "RADIUS is not imported: only users of the configuration are known"
	noPPPoE   = "PPPoE is not imported"
	noIPv6    = "prefixes of IPv6 are not imported; the link itself has IPv6"
	noAcct    = "accounting is not imported"
	noRates   = "rate limits are not imported"
)

func (l *l2tpns) rules() map[string]rule {
	note := func(p *string) rule {
		return func(_ *draft, s statement) error { *p = s.value; return nil }
	}
	rules := map[string]rule{
		"debug":        l.debug,
		"log_file":     without("start culvertd with --log"),
		"pid_file":     without("start culvertd with -P FILE"),
		"hostname":     to(system, "host_name"),
		"max_sessions": toZero(system, "max_sessions", "unlimited"),

		"l2tp_secret":        to(defaultTunnel, "secret"),
		"l2tp_mtu":           l.setMTU,
		"bind_address":       note(&l.own),
		"bind_multi_address": without("start culvertd with --listen ADDRESS for each"),
		"peer_address":       note(&l.peer),
		"iftun_address":      note(&l.own),
		"disable_sending_hello": func(d *draft, s statement) error {
			if !s.on() {
				return nil
			}
			return d.set(defaultTunnel, "hello_timeout", "off")
		},

		"ppp_restart_time":  to(defaultPPP, "lcp_retransmit_interval"),
		"ppp_max_configure": to(defaultPPP, "lcp_max_config_requests"),
		"ppp_max_failure":   to(defaultPPP, "lcp_max_config_naks"),
		"echo_timeout":      note(&l.echo), "lcp_echo_timeout": note(&l.echo),
		"idle_echo_timeout": note(&l.dead), "lcp_idle_timeout": note(&l.dead),
		"ppp_keepalive": needless,
		"primary_dns":   l.address("dns_ipaddr_pri"), "secondary_dns": l.address("dns_ipaddr_sec"),
		"radius_authtypes": l.authTypes,
		"ipv6_prefix":      without(noIPv6),

		"random_device": needless, "tundevicename": needless, "multi_read_count": needless,
		"scheduler_fifo": needless, "lock_pages": needless, "send_garp": needless, "setuid": needless,
		"throttle_buckets": needless, "icmp_rate": without(noData), "packet_limit": without(noRates),
		"dump_speed":             unless(false, "/metrics has the figures"),
		"disable_no_spoof":       unless(true, "the kernel checks source addresses: rp_filter"),
		"multi_hostname":         without("a tunnel profile has one host_name"),
		"allow_duplicate_ip":     unless(false, "an address is given to one session at a time"),
		"allow_duplicate_users":  unless(true, "a user may have several sessions"),
		"kill_timedout_sessions": needless, "guest_account": needless,
		"auth_tunnel_change_addr_src": unless(false, "a tunnel keeps its peer's address"),
		"throttle_speed":              toNothing("0", noRates), "no_throttle_local_ip": without(noRates),
	}
	for why, names := range map[string]string{
		noCLI: "cli_bind_address",
		noCluster: "cluster_address cluster_port cluster_interface cluster_mcast_ttl " +
			"cluster_hb_interval cluster_hb_timeout cluster_master_min_adv nexthop nexthop6 " +
			"nexthop_address nexthop6_address",
		noRADIUS: "radius_dae_port radius_bind_min radius_bind_max primary_radius_port " +
			"secondary_radius secondary_radius_port radius_secret append_realm",
		noAcct:  "accounting_dir account_all_origin garden_accounting_dir radius_interim",
		noPPPoE: "pppoe_if_to_bind pppoe_service_name pppoe_ac_name pppoe_only_equal_svc_name pppoe_mru",
		noIPv6: "dhcp6_preferred_lifetime dhcp6_valid_lifetime dhcp6_server_duid dns6_lifetime " +
			"primary_ipv6_dns secondary_ipv6_dns default_ipv6_domain_list",
		"walled gardens are not imported":        "gardens default_garden garden_hardened_security",
		"calls are not forwarded to another LNS": "disable_lac_func bind_address_remotelns bind_portremotelns",
	} {
		for name := range strings.FieldsSeq(names) {
			rules[name] = without(why)
		}
	}
	rules["radius_accounting"] = unless(false, noAcct)
	rules["primary_radius"] = func(d *draft, s statement) error {
		l.radius = true
		return fmt.Errorf("%s", noRADIUS)
	}
	return rules
}

// toNothing is without, for all values but one.
func toNothing(harmless, why string) rule {
	return func(_ *draft, s statement) error {
		if s.value == harmless {
			return nil
		}
		return fmt.Errorf("%s", why)
	}
}

// debug turns l2tpns's levels into ours.
func (l *l2tpns) debug(d *draft, s statement) error {
	level, err := strconv.Atoi(s.value)
	if err != nil || level < 0 || level > 5 {
		return fmt.Errorf("expected a level from 0 to 5")
	}
	levels := []string{"error", "error", "warn", "info", "info", "debug"}
	if err := d.set(system, "log_level", levels[level]); err != nil {
		return err
	}
	if level == 5 {
		return d.set(system, "trace_flags", "protocol,ppp_control")
	}
	return nil
}

// setMTU takes l2tp_mtu, which is that of the packets between LAC and LNS: what
// is left for the subscriber is 38 bytes less, and 1492 at most.
func (l *l2tpns) setMTU(d *draft, s statement) error {
	n, err := strconv.Atoi(s.value)
	if err != nil || n < 576 || n > 2600 {
		return fmt.Errorf("expected a number from 576 to 2600")
	}
	inner := strconv.Itoa(min(n-38, 1492))
	for _, set := range []struct {
		t     target
		param string
	}{{defaultTunnel, "mtu"}, {defaultPPP, "mtu"}, {defaultPPP, "mru"}} {
		if err := d.set(set.t, set.param, inner); err != nil {
			return err
		}
	}
	return nil
}

// address sets an address; 0.0.0.0 stands for none.
func (l *l2tpns) address(param string) rule {
	return func(d *draft, s statement) error {
		if s.value == "0.0.0.0" || s.value == "" {
			return nil
		}
		return d.set(defaultPPP, param, s.value)
	}
}

// authTypes allows the methods in the list only.
func (l *l2tpns) authTypes(d *draft, s statement) error {
	for _, m := range authMethods {
		on := strings.Contains(" "+strings.ReplaceAll(s.value, ",", " ")+" ",
			" "+strings.TrimPrefix(m, "auth_")+" ")
		if err := d.set(defaultPPP, m, yesNo(on)); err != nil {
			return err
		}
	}
	return nil
}

// pool reads ip_pool, or ip_pool-N.dat: prefixes and addresses.
func (l *l2tpns) pool(f File, base string) {
	name := "default"
	if _, number, ok := strings.Cut(strings.TrimSuffix(base, ".dat"), "-"); ok {
		name = safeName(number)
	}
	pool := target{"pool", name}
	for i, line := range strings.Split(f.Text, "\n") {
		words := fields(line)
		if len(words) == 0 {
			continue
		}
		s := statement{file: f.Name, line: i + 1, key: words[0]}
		if err := l.block(pool, words[0]); err != nil {
			l.draft.note(s, "%s", err)
			continue
		}
		l.draft.carried++
	}
}

func (l *l2tpns) block(pool target, text string) error {
	if bind, _, ok := strings.Cut(text, ":"); ok {
		return fmt.Errorf("is for the node of %s only: give it to that node's pool", bind)
	}
	if _, err := netip.ParseAddr(text); err != nil {
		if _, err := netip.ParsePrefix(text); err != nil {
			return fmt.Errorf("expected an address or a prefix")
		}
	}
	return l.draft.addAddresses(pool, text)
}

// users reads the file of those who may use l2tpns's own shell.
func (l *l2tpns) users(f File) {
	for i, line := range strings.Split(f.Text, "\n") {
		if words := fields(line); len(words) > 0 {
			name, _, _ := strings.Cut(words[0], ":")
			l.draft.note(statement{file: f.Name, line: i + 1, key: name, secret: true},
				"who may use l2tpconfig is a matter of groups: api_group and api_readers_group")
		}
	}
}

// finish sets what several variables say together, and l2tpns's defaults where
// they differ from ours.
func (l *l2tpns) finish() error {
	d := l.draft
	if pool := (target{"pool", "default"}); d.has(pool) {
		if err := d.set(defaultPPP, "ip_pool_name", pool.name); err != nil {
			return err
		}
	}
	if own := cmp.Or(l.peer, l.own); own != "" && own != "0.0.0.0" {
		if err := d.set(defaultPPP, "local_ipaddr", own); err != nil {
			return err
		}
	}
	if l.radius {
		if err := d.set(defaultPPP, "use_radius", "yes"); err != nil {
			return err
		}
	}
	if l.echo == "" && l.dead == "" {
		return nil
	}
	echo, dead := cmp.Or(l.echo, "10"), cmp.Or(l.dead, "240")
	if err := d.set(defaultPPP, "lcp_echo_interval", echo); err != nil {
		return err
	}
	return d.set(defaultPPP, "lcp_echo_failure_count", quotient(dead, echo))
}

// quotient is how many intervals fit into a time, at least one and at most 100.
func quotient(total, interval string) string {
	t, errT := strconv.Atoi(total)
	n, errN := strconv.Atoi(interval)
	if errT != nil || errN != nil || n <= 0 {
		return "5"
	}
	return strconv.Itoa(max(1, min(t/n, 100)))
}
