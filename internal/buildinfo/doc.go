// Package buildinfo says which version a program of ours is.
package buildinfo
