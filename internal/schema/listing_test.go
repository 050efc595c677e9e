package schema_test

import (
	"strings"
	"testing"

	"culvert/api"
	"culvert/internal/schema"
)

// TestListingsByStatus: a listing can be narrowed by what is known at run time.
func TestListingsByStatus(t *testing.T) {
	parse := func(text string) (schema.Command, error) {
		lines, err := schema.Lex(text)
		if err != nil {
			t.Fatal(err)
		}
		return schema.Syntax{}.Parse(lines[0])
	}
	c, err := parse("session list user=alice state=up tunnel_id=7")
	if err != nil {
		t.Fatal(err)
	}
	m := c.Object.(*api.Session)
	if m.Status.GetUser() != "alice" || m.Status.GetState() != api.SessionState_SESSION_STATE_UP ||
		m.GetTunnelId() != 7 {
		t.Errorf("the filter is %v", m)
	}
	for text, part := range map[string]string{
		"session list state=sideways":      "state",
		"session show state=up":            "state",
		"tunnel list created_by_peer=no":   "created_by_peer",
		"tunnel list peer_tunnel_id=seven": "peer_tunnel_id",
	} {
		if _, err := parse(text); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%s: %v, want %q in it", text, err, part)
		}
	}
}
