package ppp

// CCP (RFC 1962) is not configured yet, so that its Configure-Requests are returned
// in a Protocol-Reject like those of any protocol that is not there: receiveNetwork's
// last case. That is one round trip, and it ends CCP alone at the peer: no
// Terminate-Ack of ours can be taken for one of another protocol, nor any
// option be left to argue about.
//
// TODO: MPPE (RFC 3078) needs a negotiator here. Until then a peer that insists on
// encryption gives up the link.
