package engine

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"culvert/internal/dataplane"
	"culvert/internal/management"
	"culvert/l2tp"
)

// TestTextsOfPeers: what a peer says in Latin-1 keeps nobody from listing it.
func TestTextsOfPeers(t *testing.T) {
	const name, shown = "m\xfcnchen", "m\uFFFDnchen"
	synctest.Test(t, func(t *testing.T) {
		w := dataplane.NewWire()
		lns := newHost(t, w, lnsAddr, openLNS)
		defer lns.stop()
		s := newScript(t, w, &l2tp.Config{HostName: name, VendorName: name})
		id, _ := s.core.NewSessionID()
		s.step(l2tp.PlaceCall{Session: id, Kind: l2tp.LACIncoming, Call: l2tp.Call{
			CalledNumber: name, CallingNumber: name, SubAddress: name,
		}})
		s.settle(time.Second)
		s.step(l2tp.CallConnected{Session: id, Call: l2tp.Call{PrivateGroupID: name}})
		s.settle(time.Second)
		page := management.Page{Limit: 10}
		tunnels, err := lns.ListTunnels(t.Context(), page)
		if err != nil || len(tunnels) != 1 {
			t.Fatalf("tunnels: %v, %v", tunnels, err)
		}
		sessions, err := lns.ListSessions(t.Context(), nil, page)
		if err != nil || len(sessions) != 1 {
			t.Fatalf("sessions: %v, %v", sessions, err)
		}
		peers, err := lns.ListPeers(t.Context())
		if err != nil || len(peers) != 1 {
			t.Fatalf("peers: %v, %v", peers, err)
		}
		for what, m := range map[string]proto.Message{
			"tunnel": tunnels[0], "session": sessions[0], "peer": peers[0],
		} {
			if _, err := proto.Marshal(m); err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
		st := sessions[0].Status
		got := []string{tunnels[0].Status.PeerHostName, tunnels[0].Status.PeerVendorName, peers[0].Status.HostName,
			st.CalledNumber, st.CallingNumber, st.SubAddress, st.PrivGroupId}
		if want := strings.Repeat(shown+" ", len(got)); strings.Join(got, " ")+" " != want {
			t.Errorf("shown are %q, want each %q", got, shown)
		}
		s.step(l2tp.Stop{Result: l2tp.Result{Code: l2tp.StopGeneral}})
		s.settle(time.Second)
	})
}
