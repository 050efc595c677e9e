package e2e

import (
	"testing"

	"culvert/test/lab"
)

func kernelPlane(t *testing.T) plane {
	t.Helper()
	lab.RequireKernel(t)
	return plane{"kernel", transferSize}
}

func TestTunnels(t *testing.T)         { kernelPlane(t).testTunnels(t, lnsAddr) }
func TestTunnelsOverIPv6(t *testing.T) { kernelPlane(t).testTunnels(t, lnsAddr6) }
func TestPersist(t *testing.T)         { kernelPlane(t).testPersist(t) }
func TestWrongPassword(t *testing.T)   { kernelPlane(t).testWrongPassword(t) }
func TestPathMTU(t *testing.T)         { kernelPlane(t).testPathMTU(t, false) }
func TestPathMTUOverIPv6(t *testing.T) { kernelPlane(t).testPathMTU(t, true) }
func TestModify(t *testing.T)          { kernelPlane(t).testModify(t) }
func TestWrongSecret(t *testing.T)     { kernelPlane(t).testWrongSecret(t) }
func TestLink(t *testing.T)            { kernelPlane(t).testLink(t) }
