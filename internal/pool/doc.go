// Package pool gives out addresses from named pools.
//
// A Pool is a bitmap over its addresses, with the user whom each address was
// last given to: who comes back gets the same address while it is free. Pools
// is the set of them, which follows the configuration without losing what is
// given out.
//
// Read pools.go, then pool.go, then block.go.
package pool
