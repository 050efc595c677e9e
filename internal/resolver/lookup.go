package resolver

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"
)

// lookupLimit is how long finding the addresses of one host may take.
const lookupLimit = 3 * time.Second

// Lookup finds the addresses of a host by its name. The error does not repeat that.
func Lookup(host string) ([]netip.Addr, error) {
	ctx, cancel := context.WithTimeout(context.Background(), lookupLimit)
	defer cancel()
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return nil, errors.New(dns.Err)
	}
	return addrs, err
}
