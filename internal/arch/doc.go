// Package arch holds no code: its test holds the rules of docs/architecture.md,
// which package may import which and what the cores may not do.
package arch
