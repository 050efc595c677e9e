// Package ppp is the Point-to-Point Protocol without I/O: LCP, authentication
// and the network control protocols of one link.
//
// A [Link] is a value that is told what happened ([Link.Step] with an [Event])
// and says what is to be done (a list of [Action]). It opens no socket, starts
// no goroutine and reads no clock, so that every run can be repeated. What it
// knows can be taken out ([Link.Snapshot]) and put back ([Restore]).
//
// Read in this order:
//
//   - event.go, action.go, config.go: what goes in, what comes out
//   - link.go: the link and its phases (RFC 1661, 3)
//   - automaton.go: the state table (RFC 1661, 4.1); control.go: what runs it,
//     with the packets of section 5
//   - lcp.go, ipcp.go, ipv6cp.go: what is asked, granted and refused
//     (RFC 1661, 6; RFC 1332 and 1877; RFC 5072); ccp.go: why not (RFC 1962)
//   - auth.go: who must prove itself; pap.go (RFC 1334), chap.go (RFC 1994),
//     mschap.go (RFC 2433, 2759), eap.go (RFC 3748); verify.go: passwords
//   - echo.go: is the peer alive; proxy.go: what a LAC did for us (RFC 2661)
//   - frame.go, option.go: the wire; snapshot.go: state as data; text.go: as text
package ppp
