package importer

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// A pppdOption says what becomes of an option of pppd, which takes so many words.
type pppdOption struct {
	words int
	rule  func(p *pppdReader, s statement) error
}

// A pppdReader carries pppd's options over to a PPP profile.
type pppdReader struct {
	draft *draft
	ppp   target
	// What we authenticate with, which is the session's.
	user, password string
	// Options that gave a name server.
	dns, wins int
}

// read carries a file of options over.
func (p *pppdReader) read(f File) {
	for i, line := range strings.Split(f.Text, "\n") {
		words := fields(line)
		for len(words) > 0 {
			s := statement{file: f.Name, line: i + 1, key: words[0]}
			words = p.option(s, words[1:])
		}
	}
}

// option carries one option over, and returns the words after it.
func (p *pppdReader) option(s statement, rest []string) []string {
	o, known := pppdOptionNamed(s.key)
	if !known {
		if local, remote, ok := strings.Cut(s.key, ":"); ok && isPair(local, remote) {
			p.done(s, p.addresses(local, remote))
			return rest
		}
		p.draft.note(s, "unknown to the importer")
		return rest
	}
	n := min(o.words, len(rest))
	s.value = strings.Join(rest[:n], " ")
	s.secret = s.key == "password"
	if n < o.words {
		p.draft.note(s, "expected %d words after it", o.words)
		return nil
	}
	p.done(s, o.rule(p, s))
	return rest[n:]
}

func (p *pppdReader) done(s statement, err error) {
	if err != nil {
		p.draft.note(s, "%s", err)
		return
	}
	p.draft.carried++
}

func isPair(local, remote string) bool {
	isAddress := func(s string) bool {
		_, err := netip.ParseAddr(s)
		return s == "" || err == nil
	}
	return isAddress(local) && isAddress(remote)
}

func (p *pppdReader) addresses(local, remote string) error {
	for param, text := range map[string]string{"local_ipaddr": local, "remote_ipaddr": remote} {
		if text == "" || text == "0.0.0.0" {
			continue
		}
		if err := p.draft.set(p.ppp, param, text); err != nil {
			return err
		}
	}
	return nil
}

// pppd sets a parameter of the PPP profile to the option's value.
func pppd(words int, param string) pppdOption {
	return pppdOption{words, func(p *pppdReader, s statement) error {
		return p.draft.set(p.ppp, param, s.value)
	}}
}

// pppdOff is pppd for a number whose 0 has a word.
func pppdOff(param, zero string) pppdOption {
	return pppdOption{1, func(p *pppdReader, s statement) error {
		return toZero(p.ppp, param, zero)(p.draft, s)
	}}
}

// pppdSet sets parameters to fixed values: NAME=VALUE.
func pppdSet(settings ...string) pppdOption {
	return pppdOption{0, func(p *pppdReader, _ statement) error {
		for _, setting := range settings {
			param, value, _ := strings.Cut(setting, "=")
			if err := p.draft.set(p.ppp, param, value); err != nil {
				return err
			}
		}
		return nil
	}}
}

func pppdWithout(words int, why string) pppdOption {
	return pppdOption{words, func(*pppdReader, statement) error { return fmt.Errorf("%s", why) }}
}

// only allows one authentication method: what pppd's require-X comes to.
func only(method string) pppdOption {
	settings := []string{"auth_peer=yes"}
	for _, m := range authMethods {
		settings = append(settings, m+"="+yesNo(m == method))
	}
	return pppdSet(settings...)
}

var authMethods = []string{"auth_pap", "auth_chap", "auth_mschapv1", "auth_mschapv2", "auth_eap"}

const noScripts = "no scripts are run: l2tpconfig events tells programs of the same"

const noMPPE = "there is no encryption by MPPE: protect the tunnel by IPsec"

// pppdOptions are the options that mean something here.
var pppdOptions = map[string]pppdOption{
	"mtu": pppd(1, "mtu"), "mru": pppd(1, "mru"),
	"idle": pppdOff("idle_timeout", "off"), "maxconnect": pppdOff("max_connect_time", "unlimited"),
	"maxfail":           pppdOff("max_failure_count", "unlimited"),
	"lcp-echo-interval": pppdOff("lcp_echo_interval", "off"),
	"lcp-echo-failure": {1, func(p *pppdReader, s statement) error {
		if s.value == "0" {
			return p.draft.set(p.ppp, "lcp_echo_interval", "off")
		}
		return p.draft.set(p.ppp, "lcp_echo_failure_count", s.value)
	}},
	"lcp-max-configure": pppd(1, "lcp_max_config_requests"),
	"lcp-max-failure":   pppd(1, "lcp_max_config_naks"),
	"lcp-max-terminate": pppd(1, "lcp_max_terminate_requests"),
	"lcp-restart":       pppd(1, "lcp_retransmit_interval"),

	"ipcp-max-configure": pppd(1, "ipcp_max_config_requests"),
	"ipcp-max-failure":   pppd(1, "ipcp_max_config_naks"),
	"ipcp-max-terminate": pppd(1, "ipcp_max_terminate_requests"),
	"ipcp-restart":       pppd(1, "ipcp_retransmit_interval"),
	"chap-interval":      pppdOff("chap_interval", "never"),
	"chap-max-challenge": pppd(1, "chap_max_challenge"),
	"chap-restart":       pppd(1, "chap_restart"),
	"pap-max-authreq":    pppd(1, "pap_max_auth_requests"),
	"pap-restart":        pppd(1, "pap_restart_interval"),
	"pap-timeout":        pppdOff("pap_timeout", "unlimited"),

	"asyncmap": {1, func(p *pppdReader, s statement) error {
		return p.draft.set(p.ppp, "asyncmap", "0x"+strings.TrimPrefix(s.value, "0x"))
	}},
	"sync": pppdSet("sync_mode=sync"),

	"auth": pppdSet("auth_peer=yes"), "noauth": pppdSet("auth_peer=no"),
	"require-pap": only("auth_pap"), "+pap": only("auth_pap"),
	"require-chap": only("auth_chap"), "+chap": only("auth_chap"),
	"require-mschap": only("auth_mschapv1"), "require-mschap-v2": only("auth_mschapv2"),
	"require-eap": only("auth_eap"),
	"refuse-pap":  pppdSet("auth_pap=no"), "-pap": pppdSet("auth_pap=no"),
	"refuse-chap": pppdSet("auth_chap=no"), "-chap": pppdSet("auth_chap=no"),
	"refuse-mschap": pppdSet("auth_mschapv1=no"), "refuse-mschap-v2": pppdSet("auth_mschapv2=no"),
	"refuse-eap": pppdSet("auth_eap=no"),

	"name": {1, func(p *pppdReader, s statement) error {
		p.user = s.value
		return p.draft.set(p.ppp, "local_name", s.value)
	}},
	"user":       {1, func(p *pppdReader, s statement) error { p.user = s.value; return nil }},
	"password":   {1, func(p *pppdReader, s statement) error { p.password = s.value; return nil }},
	"remotename": pppdWithout(1, "the session says what to give its peer: user_name, user_password"),

	"ms-dns":       {1, func(p *pppdReader, s statement) error { return p.server("dns", &p.dns, s.value) }},
	"ms-wins":      {1, func(p *pppdReader, s statement) error { return p.server("wins", &p.wins, s.value) }},
	"usepeerdns":   pppdSet("accept_dns=yes"),
	"defaultroute": pppdSet("default_route=yes"), "nodefaultroute": pppdSet("default_route=no"),
	"replacedefaultroute": pppdSet("default_route=yes"),
	"proxyarp":            pppdSet("proxy_arp=yes"), "noproxyarp": pppdSet("proxy_arp=no"),
	"+ipv6": pppdSet("ipv6=yes"), "ipv6": {1, func(p *pppdReader, _ statement) error {
		return p.draft.set(p.ppp, "ipv6", "yes")
	}},
	"noipv6": pppdSet("ipv6=no"), "-ipv6": pppdSet("ipv6=no"), "noip": pppdSet("ipv4=no"),
	"multilink": pppdSet("multilink=yes"), "mp": pppdSet("multilink=yes"),

	"debug":        pppdSet("trace_flags=ppp_control"),
	"ipparam":      pppdWithout(1, noScripts),
	"ip-up-script": pppdWithout(1, noScripts), "ip-down-script": pppdWithout(1, noScripts),
	"plugin": pppdWithout(1, "plugins of pppd cannot be used"),
	"unit":   pppdWithout(1, "interfaces are named by interface_name"),
	"ifname": {1, func(p *pppdReader, s statement) error {
		return fmt.Errorf("interfaces are named by interface_name of the session")
	}},
	"require-mppe": pppdWithout(0, noMPPE), "require-mppe-40": pppdWithout(0, noMPPE),
	"require-mppe-128": pppdWithout(0, noMPPE), "mppe": pppdWithout(1, noMPPE),
	"mppe-stateful": pppdWithout(0, noMPPE),
	"login":         pppdWithout(0, "passwords of the system are not used: users are created with theirs"),
}

// server sets the next of two name servers.
func (p *pppdReader) server(kind string, count *int, text string) error {
	names := []string{"_ipaddr_pri", "_ipaddr_sec"}
	if *count == len(names) {
		return fmt.Errorf("only two are given to a peer")
	}
	*count++
	return p.draft.set(p.ppp, kind+names[*count-1], text)
}

// needlessOptions hold here anyway, or are about modems.
const needlessOptions = "default-asyncmap nomultilink nomp dump nomppe persist nopersist ipcp- " +
	"accept-local ipcp-accept-remote noccp nobsdcomp nodeflate nopredictor1 " +
	"novj novjccomp nopcomp noaccomp -vj -ccp -pc -ac default-mru crtscts " +
	"nocrtscts lock nolock modem local passive silent noipdefault hide- " +
	"password show-password nodetach updetach noendpoint receive-all ktune " +
	"noktune"

// needlessOptionsOfOneWord are followed by a value.
const needlessOptionsOfOneWord = "kdebug linkname holdoff connect-delay logfile logfd"

// pppdOptionNamed finds what becomes of an option.
func pppdOptionNamed(name string) (pppdOption, bool) {
	if o, ok := pppdOptions[name]; ok {
		return o, true
	}
	for words, names := range []string{needlessOptions, needlessOptionsOfOneWord} {
		if slices.Contains(strings.Fields(names), name) {
			return pppdOption{words, func(*pppdReader, statement) error { return nil }}, true
		}
	}
	return pppdOption{}, false
}
