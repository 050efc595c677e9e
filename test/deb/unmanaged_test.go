package deb

import (
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"culvert/api"
	"culvert/internal/config"
	"culvert/internal/schema"
)

// leaveAlone is the files that keep others off the interfaces of sessions, each with what
// comes before the pattern of their names.
var leaveAlone = map[string]string{
	"/usr/lib/udev/rules.d/60-culvert.rules":         `KERNEL=="(l2tp[^"]*)"`,
	"/usr/lib/udev/rules.d/99-z-culvert.rules":       `KERNEL=="(l2tp[^"]*)"`,
	"/usr/lib/systemd/network/05-culvert.network":    `Name=(l2tp\S*)`,
	"/usr/lib/NetworkManager/conf.d/10-culvert.conf": `interface-name:(l2tp[^;]*);`,
}

// TestInterfacesLeftAlone: the package has those files, and they are about the
// interfaces that sessions have by default.
func TestInterfacesLeftAlone(t *testing.T) {
	need(t, "dpkg-deb")
	tree := t.TempDir()
	if out, err := exec.Command("dpkg-deb", "-x", build(t, "none"), tree).CombinedOutput(); err != nil {
		t.Fatalf("unpacking the package: %v: %s", err, out)
	}
	session := &api.Session{Parameters: &api.SessionParameters{}}
	schema.SetDefaults(session)
	name := config.InterfaceName(session.GetParameters().GetInterfaceName(), 17, 4711)
	for file, pattern := range leaveAlone {
		m := regexp.MustCompile(pattern).FindStringSubmatch(read(t, filepath.Join(tree, file)))
		if m == nil {
			t.Errorf("%s names no interfaces", file)
			continue
		}
		if ok, err := path.Match(m[1], name); !ok {
			t.Errorf("%s is about %s, which is not %s: %v", file, m[1], name, err)
		}
	}
}

// checkUnmanaged looks at a session's interface as udev, systemd and with it everybody
// else sees it.
func (m *machine) checkUnmanaged() {
	m.step("the session's interface is left alone")
	name := m.run("ip -oneline link show | grep -o 'l2tp[0-9]*-[0-9]*' | head -n 1")
	m.run("udevadm settle")
	m.want("udevadm info --query property --property NM_UNMANAGED --value /sys/class/net/"+name, "1")
	tags := m.run("udevadm info /sys/class/net/" + name)
	if strings.Contains(tags, "CURRENT_TAGS=:systemd:") {
		m.Errorf("systemd has a unit for %s:\n%s", name, tags)
	}
	m.want("systemctl list-units --all --no-legend --type device | grep -c "+name+" || true", "0")
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
