package dataplane

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"culvert/l2tp"
)

// A Keeper holds descriptors for a data plane, so that what hangs on them
// outlives this process. Package keeper has one.
type Keeper interface {
	// Keep has the keeper hold copies of descriptors under a key, in place of
	// what it had there. It returns when they are safe, or cannot be made safe now:
	// then HandOver is called later.
	Keep(key string, fds ...int)
	// Drop has the keeper close what it has under the keys, and waits for that: who
	// closes a descriptor afterwards is the last to do so, and it has its effect.
	Drop(ctx context.Context, keys ...string)
}

// Configured is what an earlier process asked of a session's Configure.
type Configured struct {
	// Link is what was asked for last, nil if Configure was never called.
	Link *LinkSpec
	// Unsure says that Configure had not returned without an error: the interface may
	// be there or not, in any state. Configure is due then.
	Unsure bool
}

// Keys of what is kept. Of what a key stands for the descriptors are in this order:
// a session's PPPoL2TP socket and its channel; of others there is one. A unit's key has the name
// of its interface, which nothing else tells a process that does not know the session.
func listenerKey(addr netip.AddrPort) string { return listenerKind + addr.String() }
func tunnelKey(id l2tp.TunnelID) string      { return fmt.Sprint(tunnelKind, uint16(id)) }
func sessionKey(id SessionKey) string        { return sessionKind + id.String() }
func unitKey(id SessionKey, name string) string {
	return unitKind + id.String() + "/" + name
}

// unitName is the name of the interface of a unit that was kept under a key.
func unitName(key string) string { return key[strings.LastIndexByte(key, '/')+1:] }

// What keys begin with.
const (
	listenerKind = "listener/"
	tunnelKind   = "tunnel/"
	sessionKind  = "session/"
	unitKind     = "unit/"
)

// KeptSessions returns how many sessions there are in what was kept.
func KeptSessions(kept map[string][]int) (n int) {
	for key := range kept {
		if strings.HasPrefix(key, sessionKind) {
			n++
		}
	}
	return n
}

// noKeeper keeps nothing.
type noKeeper struct{}

func (noKeeper) Keep(string, ...int)             {}
func (noKeeper) Drop(context.Context, ...string) {}

// sortedKeys puts the keys of what nobody took into the order of reports.
func sortedKeys(keys []string) []string {
	slices.Sort(keys)
	return keys
}
