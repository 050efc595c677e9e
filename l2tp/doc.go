// Package l2tp is the Layer Two Tunneling Protocol, RFC 2661, without I/O: the
// control connection and the calls in it, as LAC and as LNS at once. What it
// says to send is carried by others, and so are the data messages; of those it
// knows the header only.
//
// Read it in this order:
//
//   - header.go, avp.go, hide.go: the wire format (3.1, 4.1, 4.3)
//   - attribute.go, field.go, message.go, parse_error.go: the attribute table
//     and how a message is read and written by it (4.4, 7.1)
//   - conn_msg.go, call_msg.go, call.go, call_values.go: the messages (6) and
//     what they say of a call
//   - result.go: result and error codes (4.4.2)
//   - challenge.go: tunnel authentication (4.4.3, 5.1.1)
//   - delivery.go: reliable delivery (5.8, Appendix A)
//   - conn_table.go, call_table.go: the state tables (7.2.1, 7.4.1 to 7.5.2)
//   - event.go, action.go, config.go: what goes into a tunnel and what comes out
//   - tunnel.go, handshake.go, session.go, call_receive.go: the Tunnel, which runs
//     all that
//   - snapshot.go, stats.go, text.go: a tunnel as data, as numbers, as text
//
// A [Tunnel] is made by [Initiate] or, when an SCCRQ came, by [Respond]; from
// then on everything goes through [Tunnel.Step]. Time comes in as an argument,
// randomness by [Config].
package l2tp
