package bench

import (
	"cmp"
	"slices"

	"culvert/l2tp"
	"culvert/ppp"
)

// A Phase is a step of a set-up that is timed by itself, and in which it may fail.
type Phase uint8

// The phases, in their order.
const (
	PhaseTunnel Phase = iota // from the SCCRQ until the tunnel is established
	PhaseQueue               // a call waits for its turn in the tunnel's window
	PhaseCall                // from the ICRQ until the ICCN has left
	PhaseLCP                 // until LCP is opened
	PhaseAuth                // until the LNS has accepted the user, if it asks
	PhaseIPCP                // until IPCP is opened
	PhaseSetUp               // all of a session, from when it was to be placed until IPCP is opened
	numPhases
	PhaseUp = numPhases // not timed: what ends then did not fail, it was dropped
)

var phaseNames = [...]string{"tunnel", "queue", "call", "lcp", "auth", "ipcp", "set-up", "up"}

// String is the phase's name in reports.
func (p Phase) String() string { return phaseNames[p] }

// A cause says why something ended, in words that many ends share; the example is
// what one of them said beyond that.
type cause struct{ text, example string }

// causes counts ends. What peers say may differ each time: it is bounded.
type causes map[causeKey]*Failure

type causeKey struct {
	phase Phase
	text  string
}

// maxCauses is how many causes are told apart.
const maxCauses = 100

func (c causes) add(p Phase, why cause) {
	key := causeKey{p, why.text}
	f := c[key]
	if f == nil {
		if len(c) >= maxCauses {
			key = causeKey{p, "other"}
		}
		if f = c[key]; f == nil {
			f = &Failure{Phase: p.String(), Cause: key.text, Example: why.example}
			c[key] = f
		}
	}
	f.Count++
}

// sorted returns the causes, the most frequent first.
func (c causes) sorted() []Failure {
	all := []Failure{}
	for _, f := range c {
		all = append(all, *f)
	}
	slices.SortFunc(all, func(a, b Failure) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Phase, b.Phase),
			cmp.Compare(a.Cause, b.Cause))
	})
	return all
}

// tunnelCause says why a tunnel ended.
func tunnelCause(e l2tp.End) cause { return endCause(e, "StopCCN", e.Result.Code.StopName()) }

// callCause says why a call ended.
func callCause(e l2tp.End) cause { return endCause(e, "CDN", e.Result.Code.CDNName()) }

// endCause says who sent the message that ended something, and with which code.
func endCause(e l2tp.End, message, code string) cause {
	switch {
	case e.Lost:
		return cause{text: cmp.Or(e.Result.Message, "lost")}
	case e.ByPeer:
		return ofResult(message, code, e.Result)
	}
	return ofResult("we sent "+message, code, e.Result)
}

// ofResult leaves the peer's own words to the example: they may name the caller.
func ofResult(what, name string, r l2tp.Result) cause {
	text := what + ": " + name
	if r.Error != 0 {
		text += ", " + r.Error.String()
	}
	return cause{text, r.Message}
}

var linkEnds = map[ppp.EndReason]string{
	ppp.PeerTerminated:    "the LNS terminated PPP",
	ppp.AuthFailed:        "authentication: the LNS did not prove itself",
	ppp.LocalAuthFailed:   "authentication: refused",
	ppp.NegotiationFailed: "PPP did not converge",
	ppp.PeerSilent:        "no answer",
	ppp.LoopDetected:      "PPP is looped back",
}

// linkCause says why a link ended.
func linkCause(e ppp.End) cause {
	text, ok := linkEnds[e.Reason]
	if !ok {
		return cause{text: e.Detail}
	}
	return cause{text, e.Detail}
}
