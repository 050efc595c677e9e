package examples

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"culvert/internal/config"
	"culvert/internal/schema"
)

// Every statement of openl2tpd.conf with every parameter that its grammar knows, and
// the other spellings that its shell and manual have.
var openl2tpGrammar = map[string]string{
	"system modify": `trace_flags max_tunnels max_sessions drain_tunnels tunnel_establish_timeout
		session_establish_timeout tunnel_persist_pend_timeout session_persist_pend_timeout
		deny_local_tunnel_creates deny_remote_tunnel_creates`,
	"peer profile create": `profile_name lac_lns tunnel_profile_name`,
	"peer profile modify": `profile_name peer_ipaddr netmask peer_port lac_lns tunnel_profile_name
		session_profile_name ppp_profile_name`,
	"tunnel profile create": `profile_name dest_ipaddr framing_caps bearer_caps pmtu_discovery udp_csum`,
	"tunnel profile modify": `profile_name src_ipaddr peer_udp_port our_udp_port use_tiebreaker
		allow_ppp_proxy framing_cap bearer_cap host_name secret auth_mode hide_avps rx_window_size
		tx_window_size do_pmtu_discovery trace_flags use_udp_checksums hello_timeout max_retries
		retry_timeout idle_timeout max_sessions mtu peer_profile_name session_profile_name
		ppp_profile_name`,
	"session profile create": `profile_name trace_flags`,
	"session profile modify": `profile_name ppp_profile_name sequencing_required
		use_sequence_numbers reorder_timeout session_type priv_group_id framing_type bearer_type
		minimum_bps maximum_bps connect_speed no_ppp use_ppp_proxy`,
	"ppp profile create": `profile_name`,
	"ppp profile modify": `profile_name trace_flags asyncmap mtu mru sync_mode auth_pap auth_chap
		auth_mschapv1 auth_mschapv2 auth_eap auth_none auth_peer chap_interval chap_max_challenge
		chap_restart pap_max_auth_requests pap_restart_interval pap_timeout idle_timeout
		ipcp_max_config_requests ipcp_max_config_naks ipcp_max_terminate_requests
		ipcp_retransmit_interval lcp_echo_failure_count lcp_echo_interval lcp_max_config_requests
		lcp_max_config_naks lcp_max_terminate_requests lcp_retransmit_interval max_connect_time
		max_failure_count local_ipaddr remote_ipaddr dns_ipaddr_pri dns_ipaddr_sec wins_ipaddr_pri
		wins_ipaddr_sec ip_pool_name use_radius radius_hint default_route multilink local_name
		remote_name proxy_arp`,
	"tunnel create": `tunnel_name tunnel_id config_id dest_ipaddr profile_name peer_profile_name
		src_ipaddr peer_udp_port our_udp_port use_tiebreaker allow_ppp_proxy framing_cap bearer_cap
		host_name secret auth_mode hide_avps rx_window_size tx_window_size do_pmtu_discovery
		trace_flags use_udp_checksums persist hello_timeout max_retries retry_timeout idle_timeout
		max_sessions mtu session_profile_name ppp_profile_name interface_name`,
	"tunnel modify": `tunnel_name trace_flags use_udp_checksums persist hello_timeout max_retries
		retry_timeout idle_timeout max_sessions mtu peer_profile_name session_profile_name
		ppp_profile_name interface_name`,
	"session create": `tunnel_name tunnel_id session_id session_name profile_name ppp_profile_name
		trace_flags sequencing_required use_sequence_numbers reorder_timeout session_type
		priv_group_id interface_name user_name user_password framing_type bearer_type minimum_bps
		maximum_bps connect_speed no_ppp use_ppp_proxy proxy_auth_type proxy_auth_name
		proxy_auth_challenge proxy_auth_response calling_number called_number sub_address
		initial_rcvd_lcp_confreq last_sent_lcp_confreq last_rcvd_lcp_confreq`,
	"session modify": `tunnel_name session_name trace_flags sequencing_required
		use_sequence_numbers reorder_timeout`,
}

// What openl2tpd reads these files load too, and they say all that it reads.
func TestOpenL2TP(t *testing.T) {
	said := map[string]map[string]bool{}
	paths, _ := filepath.Glob("openl2tpd/*.conf")
	for _, path := range paths {
		load(t, path)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		collect(t, string(text), said)
	}
	for form, params := range openl2tpGrammar {
		for p := range strings.FieldsSeq(params) {
			if !said[form][p] {
				t.Errorf("no example of %s %s", form, p)
			}
		}
		delete(said, form)
	}
	for form := range said {
		t.Errorf("openl2tpd does not know %s", form)
	}
}

// collect adds the statements of a text, and the parameters as they are spelled.
func collect(t *testing.T, text string, said map[string]map[string]bool) {
	t.Helper()
	commands, faults, _ := schema.LexFile(text)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	for _, words := range commands {
		n := slices.IndexFunc(words, func(w schema.Word) bool { return w.HasValue })
		var form []string
		for _, w := range words[:n] {
			form = append(form, w.Name)
		}
		key := strings.Join(form, " ")
		if said[key] == nil {
			said[key] = map[string]bool{}
		}
		for _, w := range words[n:] {
			said[key][w.Name] = true
		}
	}
}

// Each parameter that openl2tp has is one of ours, by the name that it has there.
func TestOpenL2TPNames(t *testing.T) {
	for form, params := range openl2tpGrammar {
		words := strings.Fields(form)
		k := schema.KindNamed(strings.Join(words[:len(words)-1], " "))
		for p := range strings.FieldsSeq(params) {
			if k.Param(p) == nil {
				t.Errorf("%s has no %s", k.Words, p)
			}
		}
	}
}

// What openl2tpd takes silently is taken with a warning.
func TestOpenL2TPWarnings(t *testing.T) {
	got := map[string]bool{}
	for _, w := range load(t, "openl2tpd/lns.conf").Warnings() {
		got[w] = true
	}
	for _, want := range []string{
		`tunnel profile "strict": tx_window_size=0: it counts as not set: expected a number from 1 to 32768`,
		`session profile "branch": trace_flags=4294967295: it counts as all, there are no other flags`,
		`ppp profile "office": ip_pool_name=branches: there is no such pool: whoever needs an address from it is refused`,
		`ppp profile "office": use_radius=yes has no effect yet: only the users of this configuration can authenticate`,
		`ppp profile "office": radius_hint has no effect yet: no RADIUS server is asked`,
	} {
		if !got[want] {
			t.Errorf("no warning: %s", want)
		}
		delete(got, want)
	}
	if len(got) > 0 {
		t.Errorf("more warnings: %q", slices.Collect(maps.Keys(got)))
	}
	if all := load(t, "openl2tpd/lac.conf").Warnings(); len(all) > 0 {
		t.Errorf("warnings: %q", all)
	}
}

// What the statements say holds.
func TestOpenL2TPMeaning(t *testing.T) {
	s := load(t, "openl2tpd/lac.conf")
	tunnel, err := s.ResolveTunnel(s.Tunnels()[0])
	if err != nil {
		t.Fatal(err)
	}
	p := tunnel.Parameters
	if tunnel.Name != "4711" || tunnel.ConfigID != 7 || p.Src.IsValid() || p.OurUDPPort != 0 ||
		p.Secret != config.Secret("4711") || p.MTU != 1440 || p.InterfaceName != "line%s" {
		t.Errorf("tunnel = %+v", tunnel)
	}
	if len(s.Sessions()) != 2 {
		t.Fatalf("%d sessions", len(s.Sessions()))
	}
	first, err := s.ResolveSession(tunnel, s.Sessions()[0])
	if err != nil {
		t.Fatal(err)
	}
	if string(first.UserPassword) != "\na password that begins with a new line" ||
		first.Proxy.AuthChallenge != "\x01\x23\x45\x67\x89\xab\xcd\xef" ||
		first.Parameters.RxConnectSpeed != 56000 || !first.Parameters.SequencingRequired {
		t.Errorf("session = %+v", first)
	}
}
