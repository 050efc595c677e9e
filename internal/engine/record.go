package engine

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"time"

	"github.com/fxamacker/cbor/v2"
	"google.golang.org/protobuf/proto"

	"culvert/api"
	"culvert/internal/dataplane"
	"culvert/internal/journal"
	"culvert/l2tp"
	"culvert/ppp"
)

// The kinds of records in the journal.
const (
	kindTunnel  = 't'
	kindSession = 's'
	kindQueued  = 'q'
)

// A moment is when a record was made. Other times in it are as they were told by
// the time of day then, which may be set: between two processes the other clock counts.
type moment struct {
	At   time.Time
	Boot time.Duration // since the machine was booted; 0 in older records
}

// A tunnelRecord is what the next process must know of an established tunnel.
//
// Records are read by later versions: a field may be added, and is then zero in
// what older ones have written; none changes its meaning or its name. Fields that a
// version does not know it passes over.
type tunnelRecord struct {
	moment
	Core        l2tp.Snapshot
	ByPeer      bool
	First       firstRecord // if ByPeer
	Local, Peer netip.AddrPort
	Attached    bool
	Created     time.Time
	Established time.Time
	IdleSince   time.Time
	Closing     bool
	Told        told
	Dialer      *dialerRecord
}

// A queuedRecord is a control message that waits to be sent, recorded once: that of the tunnel is
// written with each message that comes or goes, and there may be thousands that wait. Before
// there were such records they were in the tunnel's.
type queuedRecord struct {
	Number  uint64 // in the order of which they leave
	Message l2tp.OutgoingSnapshot
}

type firstRecord struct {
	Peer netip.AddrPort
	ID   l2tp.TunnelID
}

// A dialerRecord is what commands say of the tunnel.
type dialerRecord struct {
	Asked    []byte // an api.Tunnel
	Adopted  bool
	Deleted  bool
	ConfigID uint16
	Attempts uint64
}

// A sessionRecord is what the next process must know of a session. Of one that is
// not up it is enough to hang up.
type sessionRecord struct {
	moment
	Core        l2tp.SessionSnapshot
	Phase       phase
	Told        told
	Created     time.Time
	Established time.Time
	EndBy       time.Time
	IdleBy      time.Time
	Call        *l2tp.Call
	Wanted      *callRecord
	Changed     []byte // an api.Session: what commands say of one that the peer began

	// Of one that is up:
	Spec      *dataplane.SessionSpec
	Modifying bool // the data plane may not have that yet
	Link      *ppp.Snapshot
	Shape     *dataplane.LinkSpec
	Shaping   bool // the interface may not be in that shape yet
	Network   *networkRecord

	// doubt is why a session of which this was read can only be hung up.
	doubt error
}

type callRecord struct {
	Asked    []byte // an api.Session
	Attempts uint64
	Deleted  bool
}

type networkRecord struct {
	User         string
	Pool         string
	Pooled       netip.Addr
	ChosenFor    string
	Open4, Open6 bool
	Addresses    ppp.Addresses
	Resolving    bool
}

// encoding is CBOR with names of fields, which a later version can read.
var encoding = func() cbor.UserBufferEncMode {
	mode, err := cbor.EncOptions{Time: cbor.TimeRFC3339Nano, OmitEmpty: cbor.OmitEmptyCBORValue}.UserBufferEncMode()
	if err != nil {
		panic("engine: " + err.Error())
	}
	return mode
}()

// decoding reads texts as they were written: what peers say of themselves, of callers and of
// users need not be UTF-8, and a name in another code is not to cost its tunnel.
var decoding = func() cbor.DecMode {
	mode, err := cbor.DecOptions{UTF8: cbor.UTF8DecodeInvalid}.DecMode()
	if err != nil {
		panic("engine: " + err.Error())
	}
	return mode
}()

// encodeInto appends a record to b. There is none that cannot be encoded.
func encodeInto(b *bytes.Buffer, record any) {
	if err := encoding.MarshalToBuffer(record, b); err != nil {
		panic("engine: encoding " + reflect.TypeOf(record).Name() + ": " + err.Error())
	}
}

func (t *tunnel) key() journal.Key {
	return journal.Key{Kind: kindTunnel, Tunnel: uint16(t.core.ID())}
}

func (s *session) key() journal.Key {
	return journal.Key{Kind: kindSession, Tunnel: uint16(s.tunnel.core.ID()), Session: uint16(s.id)}
}

// keyOfQueued is that of a message that waits. Of more than 65,536 some have the same, and
// the next process does not know of all.
func (t *tunnel) keyOfQueued(number uint64) journal.Key {
	return journal.Key{Kind: kindQueued, Tunnel: uint16(t.core.ID()), Session: uint16(number)}
}

// A draft is room for records, which is used again for each. A set-up makes three of them, and
// what they left behind would lie between what stays, in pages that cannot be given back.
type draft struct {
	tunnel  tunnelRecord
	session sessionRecord
	// What the session's record points to:
	call    l2tp.Call
	spec    dataplane.SessionSpec
	link    ppp.Snapshot
	shape   dataplane.LinkSpec
	network networkRecord
}

// record is the tunnel as it stands, without its sessions and what waits to be sent. Calls that
// are being placed are hung up by the next process. It is good until the next use of d.
func (t *tunnel) record(now time.Time, d *draft) *tunnelRecord {
	r := &d.tunnel
	*r = tunnelRecord{
		moment:      t.shard.engine.moment(now),
		Core:        t.core.SnapshotControl(now),
		ByPeer:      t.byPeer,
		First:       firstRecord{t.first.peer, t.first.id},
		Local:       t.path.Local(),
		Peer:        t.peer,
		Attached:    t.attached,
		Created:     asTold(now, t.created),
		Established: asTold(now, t.establishedAt),
		IdleSince:   asOf(now, t.idleSince),
		Closing:     t.closing,
		Told:        t.told,
	}
	if x := t.dialer; x != nil {
		r.Dialer = &dialerRecord{Asked: marshal(x.asked), Adopted: x.adopted, Deleted: x.deleted,
			ConfigID: x.configID, Attempts: x.attempts}
	}
	return r
}

// record is the session as it stands. It is good until the next use of d.
func (s *session) record(now time.Time, d *draft) *sessionRecord {
	r := &d.session
	*r = sessionRecord{moment: s.engine().moment(now), Core: s.callSnapshot(), Phase: s.phase, Told: s.told,
		Created: asTold(now, s.created), Established: asTold(now, s.establishedAt),
		EndBy: asOf(now, s.endBy), IdleBy: asOf(now, s.idleBy), Changed: s.changedRecord()}
	if c := s.wanted; c != nil {
		r.Wanted = &callRecord{Asked: marshal(c.asked), Attempts: c.attempts, Deleted: c.deleted}
	}
	if s.phase != up {
		return r
	}
	if s.call != nil {
		d.call, r.Call = *s.call, &d.call
		r.Call.Proxy = nil
	}
	if s.link != nil {
		d.link, r.Link = s.link.Snapshot(now), &d.link
	}
	d.spec, r.Spec, r.Modifying = s.spec(), &d.spec, s.plane.isUnsure()
	if s.path.Interface() != "" {
		d.shape, r.Shape, r.Shaping = s.linkSpec(), &d.shape, s.network.shape.isUnsure()
	}
	d.network, r.Network = s.network.record(), &d.network
	return r
}

// callSnapshot is what the core knows of the call. Of one that is not up it is for hanging up:
// nothing of a caller's proxy is needed, and of one that is being answered nothing but who has it.
func (s *session) callSnapshot() l2tp.SessionSnapshot {
	if s.isBeingAnswered() {
		return l2tp.SessionSnapshot{Session: s.id, PeerSession: s.peerID, Kind: s.kind,
			State: l2tp.CallEstablished, Told: true}
	}
	x, _ := s.tunnel.core.SnapshotSession(s.id)
	if x.Call != nil {
		x.Call.Proxy, x.ProxyResponse = nil, nil
	}
	return x
}

func (s *session) changedRecord() []byte {
	if asked := s.tunnel.changed[s.id]; asked != nil {
		return marshal(asked)
	}
	return nil
}

func (n *network) record() networkRecord {
	return networkRecord{User: n.user, Pool: n.pool, Pooled: n.pooled, ChosenFor: n.chosenFor,
		Open4: n.open4, Open6: n.open6, Addresses: n.addresses, Resolving: n.resolving}
}

// marshal returns an object of the schema as bytes.
func marshal(m proto.Message) []byte {
	b, err := proto.Marshal(m)
	if err != nil {
		panic("engine: encoding " + string(m.ProtoReflect().Descriptor().Name()) + ": " + err.Error())
	}
	return b
}

// An inheritance is what the last process has left, read.
type inheritance struct {
	tunnels map[l2tp.TunnelID]*inheritedTunnel
}

type inheritedTunnel struct {
	tunnelRecord
	sessions []*sessionRecord
	queued   []queuedRecord
	doubt    error // why it can only be ended
}

// errStale is why what was recorded is not taken over.
var errStale = errors.New("what the last process knew of it could not be kept to the end")

// addStale adds what was true of tunnels once. There may be other sessions now, with other
// users, and messages that were sent and received since: it is good only for telling
// the peer, which believes it if nothing has changed.
func (in *inheritance) addStale(records journal.Records) {
	stale, _ := readInheritance(records)
	for id, t := range stale.tunnels {
		if in.tunnels[id] == nil {
			t.doubt = errStale
			in.tunnels[id] = t
		}
	}
}

// readInheritance reads records. What of them cannot be read is in the error; it costs the
// tunnel or session that it is about, whose peer is told if what can be read is enough.
func readInheritance(records journal.Records) (in inheritance, errs []error) {
	in.tunnels = make(map[l2tp.TunnelID]*inheritedTunnel)
	for k, value := range records {
		if k.Kind != kindTunnel {
			continue
		}
		t, err := readTunnel(l2tp.TunnelID(k.Tunnel), value)
		if err != nil {
			errs = append(errs, fmt.Errorf("state of tunnel %d cannot be read: %w", k.Tunnel, err))
		}
		if t != nil {
			in.tunnels[t.Core.ID] = t
		}
	}
	for k, value := range records {
		if t := in.tunnels[l2tp.TunnelID(k.Tunnel)]; t != nil {
			errs = append(errs, t.read(k, value)...)
		}
	}
	for _, t := range in.tunnels {
		t.queue()
	}
	return in, errs
}

// read reads a record of something in the tunnel.
func (in *inheritedTunnel) read(k journal.Key, value []byte) (errs []error) {
	switch k.Kind {
	case kindSession:
		r, err := readSession(l2tp.SessionID(k.Session), value)
		if err != nil {
			errs = append(errs, fmt.Errorf("state of session %d/%d cannot be read: %w",
				k.Tunnel, k.Session, err))
		}
		if r != nil {
			in.sessions = append(in.sessions, r)
		}
	case kindQueued:
		var r queuedRecord
		if err := decoding.Unmarshal(value, &r); err != nil {
			return []error{fmt.Errorf("message of tunnel %d cannot be read: %w", k.Tunnel, err)}
		}
		in.queued = append(in.queued, r)
	}
	return errs
}

// queue has the messages that were read wait to be sent, as they did.
func (in *inheritedTunnel) queue() {
	slices.SortFunc(in.queued, func(a, b queuedRecord) int { return cmp.Compare(a.Number, b.Number) })
	for _, r := range in.queued {
		in.Core.Delivery.Queue = append(in.Core.Delivery.Queue, r.Message)
	}
	in.queued = nil
}

// readTunnel reads a tunnel's record. If that is good for no more than ending it the error is
// also its doubt; if not even for that there is no tunnel.
func readTunnel(id l2tp.TunnelID, value []byte) (*inheritedTunnel, error) {
	t := &inheritedTunnel{}
	err := decoding.Unmarshal(value, &t.tunnelRecord)
	if err == nil && t.Core.ID != id {
		return nil, fmt.Errorf("it is that of tunnel %d", t.Core.ID)
	}
	if err == nil {
		return t, nil
	}
	var least struct { // that must be known to speak to the peer
		moment
		Core        l2tp.Snapshot
		Local, Peer netip.AddrPort
	}
	if decoding.Unmarshal(value, &least) != nil || least.Core.ID != id {
		return nil, err
	}
	least.Core.Setups, least.Core.Delivery.Requests = nil, nil
	return &inheritedTunnel{doubt: err, tunnelRecord: tunnelRecord{moment: least.moment,
		Core: least.Core, Local: least.Local, Peer: least.Peer}}, err
}

// readSession reads a session's record. If that is good for no more than hanging up the error
// is also its doubt; if not even for that there is no session.
func readSession(id l2tp.SessionID, value []byte) (*sessionRecord, error) {
	r := &sessionRecord{}
	err := decoding.Unmarshal(value, r)
	switch {
	case err != nil:
	case r.Core.Session != id:
		err = fmt.Errorf("it is that of session %d", r.Core.Session)
	case r.Phase == up && (r.Spec == nil || r.Network == nil):
		err = errors.New("it is up, and how is not told")
	}
	if err == nil {
		return r, nil
	}
	var least struct {
		moment
		Core l2tp.SessionSnapshot
	}
	if decoding.Unmarshal(value, &least) != nil || least.Core.Session != id {
		return nil, err
	}
	least.Core.Call, least.Core.State = nil, l2tp.CallEstablished // what was being set up is not
	return &sessionRecord{moment: least.moment, Core: least.Core, doubt: err}, err
}

// askedTunnel and askedSession read what commands have said.
func (r *dialerRecord) askedTunnel() (*api.Tunnel, error) {
	asked := &api.Tunnel{}
	return asked, proto.Unmarshal(r.Asked, asked)
}

func askedSession(b []byte) (*api.Session, error) {
	asked := &api.Session{}
	return asked, proto.Unmarshal(b, asked)
}
