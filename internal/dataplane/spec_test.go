package dataplane

import (
	"hash/maphash"
	"net/netip"
	"reflect"
	"testing"
)

// TestLinkSpecHash changes each field of a specification in turn: each change is seen.
func TestLinkSpecHash(t *testing.T) {
	seed := maphash.MakeSeed()
	a := PointToPoint{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")}
	b := PointToPoint{netip.MustParseAddr("fe80::1"), netip.MustParseAddr("fe80::2")}
	spec := LinkSpec{Name: "one", MTU: 1400, MRU: 1401, IPv4: a, IPv6: b}
	if again := spec; spec.Hash(seed) != again.Hash(seed) {
		t.Fatal("a specification is not like itself")
	}
	for i := range reflect.TypeFor[LinkSpec]().NumField() {
		changed := spec
		field := reflect.ValueOf(&changed).Elem().Field(i)
		switch field.Interface().(type) {
		case string:
			field.SetString("two")
		case int:
			field.SetInt(1402)
		case bool:
			field.SetBool(true)
		case PointToPoint:
			field.Set(reflect.ValueOf(PointToPoint{}))
		case []netip.Prefix:
			field.Set(reflect.ValueOf([]netip.Prefix{netip.MustParsePrefix("10.2.0.0/16")}))
		}
		if changed.Hash(seed) == spec.Hash(seed) {
			t.Errorf("another %s makes no difference", reflect.TypeFor[LinkSpec]().Field(i).Name)
		}
	}
}
