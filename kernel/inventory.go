package kernel

import "context"

// An Inventory is what of l2tp and ppp there is in the namespace.
type Inventory struct {
	Tunnels  []TunnelInfo
	Sessions []SessionInfo
	Links    []Link // of kind ppp
}

// Inventory lists tunnels, sessions and ppp interfaces, whoever made them. It is
// for audits: dumping thousands of interfaces takes seconds.
func (k *Kernel) Inventory(ctx context.Context) (inv Inventory, err error) {
	if inv.Tunnels, err = k.Tunnels(ctx); err != nil {
		return inv, err
	}
	if inv.Sessions, err = k.Sessions(ctx); err != nil {
		return inv, err
	}
	links, err := k.Links.List(ctx)
	for _, l := range links {
		if l.Kind == "ppp" {
			inv.Links = append(inv.Links, l)
		}
	}
	return inv, err
}
