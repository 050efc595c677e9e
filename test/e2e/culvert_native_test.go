package e2e

import (
	"testing"

	"culvert/test/lab"
)

func tunPlane(t *testing.T) plane {
	t.Helper()
	lab.RequireTUN(t)
	return plane{"tun", transferSize}
}

func TestNativeTunnels(t *testing.T)         { tunPlane(t).testTunnels(t, lnsAddr) }
func TestNativeTunnelsOverIPv6(t *testing.T) { tunPlane(t).testTunnels(t, lnsAddr6) }
func TestNativePersist(t *testing.T)         { tunPlane(t).testPersist(t) }
func TestNativeWrongPassword(t *testing.T)   { tunPlane(t).testWrongPassword(t) }
func TestNativePathMTU(t *testing.T)         { tunPlane(t).testPathMTU(t, false) }
func TestNativePathMTUOverIPv6(t *testing.T) { tunPlane(t).testPathMTU(t, true) }
func TestNativeWrongSecret(t *testing.T)     { tunPlane(t).testWrongSecret(t) }
func TestNativeLink(t *testing.T)            { tunPlane(t).testLink(t) }
