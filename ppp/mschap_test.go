package ppp

import (
	"encoding/hex"
	"strings"
	"testing"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func checkHex(t *testing.T, what string, got []byte, want string) {
	t.Helper()
	if w := unhex(t, want); string(got) != string(w) {
		t.Errorf("%s = %x, want %x", what, got, w)
	}
}

// RFC 2433, B.2 and B.3.
func TestMSCHAPv1Vectors(t *testing.T) {
	hash := ntPasswordHash("MyPw")
	checkHex(t, "NtPasswordHash", hash, "FC 15 6A F7 ED CD 6C 0E DD E3 33 7D 42 7F 4E AC")
	challenge := unhex(t, "10 2D B5 DF 08 5D 30 41")
	checkHex(t, "ChallengeResponse", challengeResponse(challenge, hash),
		"4E 9D 3C 8F 9C FD 38 5D 5B F4 D3 24 67 91 95 6C A4 C3 51 AB 40 9A 3D 61")
	checkHex(t, "first DES key", desKey(hash), "FD 0B 5B 5E 7F 6E 34 D9")
	checkHex(t, "second DES key", desKey(hash[7:]), "0E 6E 79 67 37 EA 08 FE")
}

// RFC 2759, 9.2.
func TestMSCHAPv2Vectors(t *testing.T) {
	challenge := unhex(t, "5B 5D 7C 7D 7B 3F 2F 3E 3C 2C 60 21 32 26 26 28")
	peer := unhex(t, "21 40 23 24 25 5E 26 2A 28 29 5F 2B 3A 33 7C 7E")
	checkHex(t, "ChallengeHash", challengeHash("User", challenge, peer), "D0 2E 43 86 BC E9 12 26")
	hash := ntPasswordHash("clientPass")
	checkHex(t, "PasswordHash", hash, "44 EB BA 8D 53 12 B8 D6 11 47 44 11 F5 69 89 AE")
	checkHex(t, "PasswordHashHash", md4Sum(hash), "41 C0 0C 58 4B D2 D9 1C 40 17 A2 A1 2F A5 9F 3F")
	const nt = "82 30 9E CD 8D 70 8B 5E A0 8F AA 39 81 CD 83 54 42 33 11 4A 3D 85 D6 DF"
	for _, user := range []string{"User", `BIGCO\User`} {
		value, expect := mschapv2Response(user, "clientPass", challenge, peer)
		checkHex(t, "NT-Response", value[ntResponseOffset:48], nt)
		if want := "S=407A5589115FD0D6209F510FE9C04566932CDA56"; expect != want {
			t.Errorf("AuthenticatorResponse = %s, want %s", expect, want)
		}
	}
}

// The password is hashed in UTF-16.
func TestPasswordBeyondASCII(t *testing.T) {
	want := md4Sum([]byte{0xfc, 0x00, 0x3d, 0xd8, 0x00, 0xde})
	if got := ntPasswordHash("ü😀"); string(got) != string(want) {
		t.Errorf("ntPasswordHash = %x, want %x", got, want)
	}
}
