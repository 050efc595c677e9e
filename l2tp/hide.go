package l2tp

import (
	"crypto/md5"
	"encoding/binary"
)

// maxHiddenValue is the longest value that still fits when hidden.
const maxHiddenValue = maxAVPValue - 2

// hide makes the value of a hidden AVP: the Hidden AVP Subformat of value with
// padding, encrypted.
//
//	b1 = MD5(AV + S + RV)   c(1) = p1 xor b1
//	bi = MD5(S  + c(i-1))   c(i) = pi xor bi
//
// https://www.rfc-editor.org/rfc/rfc2661#section-4.3
func hide(attr AttributeType, secret Secret, vector, value, padding []byte) []byte {
	p := make([]byte, 0, 2+len(value)+len(padding))
	// Length of Original Value, Original Attribute Value, Padding.
	p = binary.BigEndian.AppendUint16(p, uint16(len(value)))
	p = append(p, value...)
	p = append(p, padding...)
	b := firstBlock(attr, secret, vector)
	for c := p; len(c) > 0; {
		n := min(len(c), md5.Size)
		xor(c[:n], b)
		b = nextBlock(secret, c[:n])
		c = c[n:]
	}
	return p
}

// unhide gets the value back out of hidden. It fails if the length inside
// cannot be true, which a wrong secret makes likely but not certain.
func unhide(attr AttributeType, secret Secret, vector, hidden []byte) ([]byte, bool) {
	p := make([]byte, 0, len(hidden))
	b := firstBlock(attr, secret, vector)
	for c := hidden; len(c) > 0; {
		n := min(len(c), md5.Size)
		p = append(p, c[:n]...)
		xor(p[len(p)-n:], b)
		b = nextBlock(secret, c[:n])
		c = c[n:]
	}
	if len(p) < 2 {
		return nil, false
	}
	n := int(binary.BigEndian.Uint16(p))
	if n > len(p)-2 {
		return nil, false
	}
	return p[2 : 2+n : 2+n], true
}

func firstBlock(attr AttributeType, secret Secret, vector []byte) [md5.Size]byte {
	in := binary.BigEndian.AppendUint16(nil, uint16(attr))
	in = append(in, string(secret)...)
	return md5.Sum(append(in, vector...))
}

func nextBlock(secret Secret, cipher []byte) [md5.Size]byte {
	return md5.Sum(append([]byte(string(secret)), cipher...))
}

// xor is p ^= b, as far as p goes.
func xor(p []byte, b [md5.Size]byte) {
	for i := range p {
		p[i] ^= b[i]
	}
}
