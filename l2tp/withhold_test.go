package l2tp

import "testing"

// TestWithheldIdentifiersAreNotGivenOut until they are allowed again.
func TestWithheldIdentifiersAreNotGivenOut(t *testing.T) {
	tun := Initiate(&Config{}, 1)
	for id := 1; id < 1<<16; id++ {
		if id != 4711 {
			tun.Withhold(SessionID(id))
		}
	}
	if id, ok := tun.NewSessionID(); id != 4711 || !ok {
		t.Errorf("NewSessionID = %d, %v, want the only one that is free, 4711", id, ok)
	}
	tun.Allow(99)
	if id, ok := tun.NewSessionID(); id != 99 || !ok {
		t.Errorf("NewSessionID = %d, %v, want 99", id, ok)
	}
}
