package peers

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"culvert/test/lab"
)

// radiusSecret is shared by FreeRADIUS and its client.
const radiusSecret = "radius-secret"

// A RADIUSUser is a line of FreeRADIUS's users file.
type RADIUSUser struct {
	User
	Addr netip.Addr // Framed-IP-Address
}

// StartFreeRADIUS starts FreeRADIUS on the namespace's loopback address and
// returns when it answers.
func StartFreeRADIUS(t testing.TB, ns *lab.NetNS, users ...RADIUSUser) {
	t.Helper()
	lab.RequireProgram(t, "freeradius")
	dir := t.TempDir()
	conf := fmt.Sprintf(radiusConf, dir, radiusSecret)
	var list strings.Builder
	for _, u := range users {
		fmt.Fprintf(&list, "%q Cleartext-Password := %q\n", u.Name, u.Password)
		fmt.Fprintf(&list, "\tFramed-Protocol = PPP,\n\tFramed-IP-Address = %v\n\n", u.Addr)
	}
	for name, content := range map[string]string{"radiusd.conf": conf, "users": list.String()} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d := ns.StartDaemon(t, "freeradius", "-f", "-d", dir, "-l", "stdout")
	d.WaitOutput(upLimit, `Ready to process requests`)
}

// radiusConf is the least that FreeRADIUS runs with: the directory and the
// client's secret are filled in.
const radiusConf = `prefix = /usr
libdir = /usr/lib/freeradius
raddbdir = %[1]s
logdir = %[1]s
run_dir = %[1]s
radacctdir = %[1]s
name = radiusd
pidfile = %[1]s/radiusd.pid
max_requests = 16384
hostname_lookups = no
proxy_requests = no
log {
	destination = stdout
	auth = yes
}
security {
	reject_delay = 0
	status_server = yes
}
client localhost {
	ipaddr = 127.0.0.1
	secret = %[2]s
	require_message_authenticator = no
}
thread pool {
	start_servers = 1
	max_servers = 4
	min_spare_servers = 1
	max_spare_servers = 2
	max_requests_per_server = 0
}
modules {
	pap { }
	chap { }
	files {
		usersfile = %[1]s/users
	}
}
server default {
	listen {
		type = auth
		ipaddr = 127.0.0.1
		port = 1812
	}
	authorize {
		files
		chap
		pap
	}
	authenticate {
		Auth-Type PAP {
			pap
		}
		Auth-Type CHAP {
			chap
		}
	}
}
`
