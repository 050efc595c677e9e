package l2tp

import (
	"crypto/md5"
	"crypto/subtle"
)

// challengeLen is the length of the challenges that we send.
const challengeLen = 16

// challengeResponse answers a challenge in a message of type mt.
//
// "For purposes of the ID value in the CHAP response calculation, the value of
// the Message Type AVP for this message is used (e.g. 2 for an SCCRP, and 3
// for an SCCCN)."
// https://www.rfc-editor.org/rfc/rfc2661#section-4.4.3
func challengeResponse(mt MessageType, secret Secret, challenge []byte) []byte {
	in := append([]byte{byte(mt)}, string(secret)...)
	sum := md5.Sum(append(in, challenge...))
	return sum[:]
}

// checkResponse says whether response, which came in a message of type mt,
// answers challenge. Cisco routers have been seen to send six octets more than
// the sixteen of the digest; they are not looked at.
func checkResponse(mt MessageType, secret Secret, challenge, response []byte) bool {
	want := challengeResponse(mt, secret, challenge)
	if len(response) < len(want) {
		return false
	}
	return subtle.ConstantTimeCompare(response[:len(want)], want) == 1
}
