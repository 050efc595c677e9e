package peers

import (
	"fmt"
	"net/netip"
	"strings"
)

// The files of an xl2tpd, in its directory. A client has the options and the log of pppd for each
// server that it calls, numbered from 0.
const (
	confFile    = "xl2tpd.conf"
	secretsFile = "l2tp-secrets"
	optionsFile = "ppp-options"
	pppLogFile  = "ppp.log"
)

// lacName is the section of a server that a client calls.
func lacName(call int) string { return fmt.Sprint("peer", call) }

// numbered is the name of a file of one call. That of the first is that of a server as well.
func numbered(name string, call int) string {
	if call == 0 {
		return name
	}
	return fmt.Sprint(name, ".", call)
}

func (c XL2TPDConfig) files(dir string) map[string]string {
	files := map[string]string{
		secretsFile: fmt.Sprintf("* * %s\n", c.Secret),
		optionsFile: c.options(dir, 0),
	}
	var conf strings.Builder
	conf.WriteString(c.global(dir))
	if !c.LNS.IsValid() {
		conf.WriteString(c.lns(dir))
	}
	for i, lns := range c.servers() {
		conf.WriteString(c.lac(dir, i, lns))
		files[numbered(optionsFile, i)] = c.options(dir, i)
	}
	files[confFile] = conf.String()
	return files
}

// servers are those that a client calls.
func (c XL2TPDConfig) servers() []netip.Addr {
	if !c.LNS.IsValid() {
		return nil
	}
	return append([]netip.Addr{c.LNS}, c.More...)
}

// Never a line "ipsec saref" here: xl2tpd then carries data itself, whatever
// the line's value.
func (c XL2TPDConfig) global(dir string) string {
	text := fmt.Sprintf("[global]\nport = 1701\naccess control = no\nauth file = %s/%s\n", dir, secretsFile)
	if !c.Quiet {
		text += "debug tunnel = yes\ndebug avp = yes\ndebug state = yes\n"
	}
	return text
}

func (c XL2TPDConfig) lns(dir string) string {
	// "require authentication = yes" would have xl2tpd ask for PAP or CHAP of its own:
	// what pppd is to require stands in its options.
	return fmt.Sprintf(`[lns default]
ip range = %s
local ip = %v
challenge = %s
hostname = xl2tpd-lns
name = xl2tpd-lns
ppp debug = %s
pppoptfile = %s/%s
length bit = yes
`, c.Pool, c.Local, yesNo(c.Secret != ""), yesNo(!c.Quiet), dir, optionsFile)
}

func (c XL2TPDConfig) lac(dir string, call int, lns netip.Addr) string {
	return fmt.Sprintf(`[lac %s]
lns = %v
challenge = %s
hostname = xl2tpd-lac
name = %s
ppp debug = yes
pppoptfile = %s/%s
length bit = yes
autodial = no
`, lacName(call), lns, yesNo(c.Secret != ""), c.User.Name, dir, numbered(optionsFile, call))
}

// options returns pppd's options file.
func (c XL2TPDConfig) options(dir string, call int) string {
	// Echoes end a link whose peer went without a word, sooner than the test ends.
	lines := []string{"noccp", "nodefaultroute", "lcp-echo-interval 5", "lcp-echo-failure 6"}
	if !c.Quiet {
		lines = append(lines, "debug", "logfile "+dir+"/"+numbered(pppLogFile, call))
	}
	if c.LNS.IsValid() {
		lines = append(lines, "noauth",
			fmt.Sprintf("user %q", c.User.Name), fmt.Sprintf("password %q", c.User.Password))
		for _, a := range pppdAuths {
			if a != c.Auth {
				lines = append(lines, "refuse-"+string(a))
			}
		}
	} else {
		lines = append(lines, "auth", "require-"+string(c.Auth))
		for _, a := range pppdAuths {
			if a != c.Auth {
				lines = append(lines, "refuse-"+string(a))
			}
		}
	}
	return strings.Join(append(lines, c.Options...), "\n") + "\n"
}

// pppSecrets are the users that pppd knows as server.
func (c XL2TPDConfig) pppSecrets() string {
	return fmt.Sprintf("%q * %q *\n", c.User.Name, c.User.Password)
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
