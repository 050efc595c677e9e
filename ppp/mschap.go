package ppp

import (
	"crypto/des"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"math/bits"
	"strings"
	"unicode/utf16"

	//lint:ignore SA1019 MS-CHAP is made of it
	"golang.org/x/crypto/md4"
)

// An MS-CHAP response is 49 bytes in both versions: in the first a LAN Manager
// response, an NT response and which of them to use (RFC 2433, 5); in the second the
// peer's challenge, 8 bytes reserved, an NT response and flags (RFC 2759, 4).
const (
	mschapResponseSize = 49
	ntResponseOffset   = 24
	ntResponseSize     = 24
)

// ntPasswordHash is NtPasswordHash of RFC 2433, A.3: MD4 of the password in UTF-16.
func ntPasswordHash(password Secret) []byte {
	var b []byte
	for _, u := range utf16.Encode([]rune(string(password))) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return md4Sum(b)
}

func md4Sum(b []byte) []byte {
	h := md4.New()
	h.Write(b) // never fails
	return h.Sum(nil)
}

// challengeResponse is ChallengeResponse of RFC 2433, A.5: the challenge under three DES
// keys, that are the hash with zeros to make 21 bytes.
func challengeResponse(challenge, hash []byte) []byte {
	var keys [21]byte
	copy(keys[:], hash)
	out := make([]byte, ntResponseSize)
	for i := range 3 {
		desEncrypt(out[8*i:], challenge, keys[7*i:7*i+7])
	}
	return out
}

func desEncrypt(dst, src, key []byte) {
	c, err := des.NewCipher(desKey(key))
	if err != nil {
		panic("ppp: DES: " + err.Error())
	}
	c.Encrypt(dst[:8], src[:8])
}

// desKey spreads 7 bytes over 8 with odd parity.
func desKey(b []byte) []byte {
	var v uint64
	for _, x := range b[:7] {
		v = v<<8 | uint64(x)
	}
	key := make([]byte, 8)
	for i := range key {
		k := byte(v>>(49-7*i)) << 1
		key[i] = k | byte(1-bits.OnesCount8(k)&1)
	}
	return key
}

// mschapv1Response has no LAN Manager response: "should not be used" (RFC 2433, 5).
func mschapv1Response(password Secret, challenge []byte) []byte {
	if len(challenge) != 8 {
		return nil
	}
	b := make([]byte, ntResponseOffset, mschapResponseSize)
	b = append(b, challengeResponse(challenge, ntPasswordHash(password))...)
	return append(b, 1)
}

// mschapv2Response makes the response, and what the peer must answer to it.
func mschapv2Response(
	user string, password Secret, challenge, peerChallenge []byte,
) (value []byte, expect string) {
	hash := ntPasswordHash(password)
	nt := ntResponseV2(user, hash, challenge, peerChallenge)
	b := append(make([]byte, 0, mschapResponseSize), peerChallenge...)
	b = append(b, make([]byte, 8)...)
	b = append(append(b, nt...), 0)
	return b, authenticatorResponse(user, hash, nt, challenge, peerChallenge)
}

func ntResponseV2(user string, hash, challenge, peerChallenge []byte) []byte {
	return challengeResponse(challengeHash(user, challenge, peerChallenge), hash)
}

// challengeHash is ChallengeHash of RFC 2759, 8.2. The user's name is that without a
// domain.
func challengeHash(user string, challenge, peerChallenge []byte) []byte {
	if _, after, ok := strings.Cut(user, `\`); ok {
		user = after
	}
	h := sha1.New()
	h.Write(peerChallenge)
	h.Write(challenge)
	h.Write([]byte(user))
	return h.Sum(nil)[:8]
}

// authenticatorResponse is GenerateAuthenticatorResponse of RFC 2759, 8.7.
func authenticatorResponse(user string, hash, nt, challenge, peerChallenge []byte) string {
	h := sha1.New()
	h.Write(md4Sum(hash))
	h.Write(nt)
	h.Write([]byte("Magic server to client signing constant"))
	digest := h.Sum(nil)
	h.Reset()
	h.Write(digest)
	h.Write(challengeHash(user, challenge, peerChallenge))
	h.Write([]byte("Pad to make it do more than one iteration"))
	return fmt.Sprintf("S=%X", h.Sum(nil))
}

// provesPeer tells whether a Success message begins with what is expected.
func provesPeer(message []byte, expect string) bool {
	return len(message) >= len(expect) &&
		subtle.ConstantTimeCompare(message[:len(expect)], []byte(expect)) == 1
}
