package management

import (
	"crypto/x509"
	"fmt"
	"slices"
	"strings"

	"culvert/internal/config"
)

// A remote caller is a client of the TLS listener, which has shown a certificate.
type remote struct {
	cert  *x509.Certificate
	chain []*x509.Certificate // the other certificates that it has shown
	keys  *keyring
}

func (r *remote) identity(sys config.System) Identity {
	names := namesOf(r.cert)
	id := Identity{Name: names[0]}
	switch {
	case r.keys.verify(r.cert, r.chain) != nil:
		// The authorities are others since it has connected, or it has expired.
	case lists(sys.API.Admins, names):
		id.Role = Admin
	case lists(sys.API.Readers, names):
		id.Role = Reader
	}
	return id
}

// namesOf are the names in a certificate. The first is for logs.
func namesOf(cert *x509.Certificate) []string {
	var names []string
	if cert.Subject.CommonName != "" {
		names = append(names, cert.Subject.CommonName)
	}
	for _, name := range cert.DNSNames {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return []string{""}
	}
	return names
}

// lists reports whether a list of names has one of them. "*" stands for any
// name, also for none; a certificate whose name is an asterisk is nothing special.
func lists(allowed, names []string) bool {
	for _, a := range allowed {
		if a == "*" || a != "" && slices.Contains(names, a) {
			return true
		}
	}
	return false
}

func (r *remote) refusal(sys config.System) string {
	if err := r.keys.verify(r.cert, r.chain); err != nil {
		return fmt.Sprintf("the client's certificate is no longer accepted: %v", err)
	}
	return fmt.Sprintf("the client's certificate has none of the names that may use the API: "+
		"it has %q; api_admins and api_readers of system say which may", namesOf(r.cert))
}

func (r *remote) admins(sys config.System) string {
	if len(sys.API.Admins) == 0 {
		return "a certificate with a name of api_admins of system, which is not set"
	}
	return "a certificate with the name " + strings.Join(sys.API.Admins, " or ")
}
