// Package overload asks more of culvertd than it can give, in network namespaces: what
// is up must stay up, and what could not be had must come by itself afterwards. The
// peers are culvertd too. It needs root and /dev/net/tun, and no kernel with L2TP.
//
//	overload_native_test.go   floods of SCCRQs, storms of reconnecting LACs
package overload
