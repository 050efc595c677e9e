package e2e

import (
	"fmt"
	"strings"

	"culvert/test/peers"
)

var alice = peers.User{Name: "alice", Password: "open sesame"}

// tunnelSecret has what a configuration file must quote, plainSecret what even
// xl2tpd and l2tpns can read.
const (
	tunnelSecret = `tunnel "secret" 1`
	plainSecret  = "tunnel secret 1"
)

// lnsConfig is an LNS that knows alice, with addresses from a pool.
func lnsConfig(more ...string) string {
	return join(append([]string{
		"pool create pool_name=home addresses=10.9.0.0/22 reserved=10.9.0.1",
		"user create user_name=alice user_password=\"open sesame\"",
		"ppp profile modify profile_name=default local_ipaddr=10.9.0.1 ip_pool_name=home",
	}, more...)...)
}

// authConfig has culvertd accept one authentication protocol only.
func authConfig(auth peers.Auth) string {
	words := map[peers.Auth]string{
		peers.PAP: "auth_pap", peers.CHAP: "auth_chap",
		peers.MSCHAP: "auth_mschapv1", peers.MSCHAPv2: "auth_mschapv2",
	}
	var line strings.Builder
	line.WriteString("ppp profile modify profile_name=default auth_eap=no")
	for _, a := range []peers.Auth{peers.PAP, peers.CHAP, peers.MSCHAP, peers.MSCHAPv2} {
		fmt.Fprintf(&line, " %s=%s", words[a], yesNo(a == auth))
	}
	return line.String()
}

// secretConfig has culvertd challenge its peers, unless the secret is empty.
func secretConfig(secret string) string {
	if secret == "" {
		return ""
	}
	return fmt.Sprintf("tunnel profile modify profile_name=default auth_mode=challenge secret=%q", secret)
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func join(lines ...string) string { return strings.Join(lines, "\n") + "\n" }
