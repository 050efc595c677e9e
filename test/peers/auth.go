package peers

// An Auth is a protocol by which PPP authenticates a user.
type Auth string

// The authentication protocols, as pppd's require- and refuse- options have them.
const (
	PAP      Auth = "pap"
	CHAP     Auth = "chap"
	MSCHAP   Auth = "mschap"
	MSCHAPv2 Auth = "mschap-v2"
)

var pppdAuths = []Auth{PAP, CHAP, MSCHAP, MSCHAPv2, "eap"}

// A User is who authenticates.
type User struct {
	Name, Password string
}
