package ppp

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
)

// Verify judges what a peer presented by a password that is known here. For EAP it
// is the authenticator of MD5-Challenge, and is called once for each of the peer's
// responses.
func Verify(c Credentials, password Secret) Verdict {
	switch c.Method {
	case PAP:
		return verdict(samePassword(c.Response, password), "Login ok", "Login incorrect")
	case CHAPMD5:
		want := chapMD5(c.ID, password, c.Challenge)
		return verdict(same(c.Response, want), "Access granted", "Access denied")
	case MSCHAPv1:
		return verifyMSCHAPv1(c, password)
	case MSCHAPv2:
		return verifyMSCHAPv2(c, password)
	case EAP:
		return verifyEAP(c, password)
	}
	return Verdict{}
}

func verdict(ok bool, yes, no string) Verdict {
	if ok {
		return Verdict{OK: true, Message: yes}
	}
	return Verdict{Message: no}
}

func same(a, b []byte) bool { return subtle.ConstantTimeCompare(a, b) == 1 }

// samePassword takes the same time for any two passwords, of other lengths too.
func samePassword(a []byte, b Secret) bool {
	x, y := sha256.Sum256(a), sha256.Sum256([]byte(b))
	return same(x[:], y[:])
}

// verifyMSCHAPv1 refuses a LAN Manager response: it stands for seven letters at a time
// in capitals.
func verifyMSCHAPv1(c Credentials, password Secret) Verdict {
	no := fmt.Sprintf("E=691 R=0 C=%X V=2", c.Challenge)
	if len(c.Response) != mschapResponseSize || len(c.Challenge) != 8 || c.Response[48] != 1 {
		return Verdict{Message: no}
	}
	want := challengeResponse(c.Challenge, ntPasswordHash(password))
	return verdict(same(c.Response[ntResponseOffset:48], want), "Access granted", no)
}

func verifyMSCHAPv2(c Credentials, password Secret) Verdict {
	no := fmt.Sprintf("E=691 R=0 C=%X V=3 M=Access denied", c.Challenge)
	if len(c.Response) != mschapResponseSize || len(c.Challenge) != 16 {
		return Verdict{Message: no}
	}
	hash, peerChallenge := ntPasswordHash(password), c.Response[:16]
	want := ntResponseV2(c.Name, hash, c.Challenge, peerChallenge)
	if !same(c.Response[ntResponseOffset:48], want) {
		return Verdict{Message: no}
	}
	proof := authenticatorResponse(c.Name, hash, want, c.Challenge, peerChallenge)
	return Verdict{OK: true, Message: proof + " M=Access granted"}
}

// verifyEAP answers an identity with an MD5-Challenge, and judges the response to it.
// State is the challenge.
func verifyEAP(c Credentials, password Secret) Verdict {
	p, err := parsePacket(c.Response)
	if err != nil || p.code != eapResponse || len(p.data) < 1 {
		return Verdict{}
	}
	switch {
	case p.data[0] == eapIdentity && len(c.State) == 0 && len(c.Challenge) > 0:
		data := append([]byte{eapMD5}, appendCounted(nil, string(c.Challenge))...)
		return Verdict{
			EAP:      appendPacket(nil, packet{eapRequest, p.id + 1, data}),
			Continue: true,
			State:    append([]byte(nil), c.Challenge...),
		}
	case p.data[0] == eapMD5 && len(c.State) > 0:
		value, _, ok := cutCounted(p.data[1:])
		return Verdict{OK: ok && same(value, chapMD5(p.id, password, c.State))}
	}
	return Verdict{}
}
