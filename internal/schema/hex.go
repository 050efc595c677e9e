package schema

import (
	"encoding/hex"
	"fmt"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// parseHex reads bytes as hexadecimal digits, two a byte, with or without 0x.
func (p *Param) parseHex(text string) (protoreflect.Value, error) {
	digits := text
	if len(text) > 1 && strings.EqualFold(text[:2], "0x") {
		digits = text[2:]
	}
	b, err := hex.DecodeString(digits)
	if err != nil || p.Max != 0 && int64(len(b)) > p.Max {
		return protoreflect.Value{}, p.fail(text, p.expectedHex())
	}
	if p.Secret && string(b) == Masked {
		return protoreflect.Value{}, p.fail("", maskGiven)
	}
	return protoreflect.ValueOfBytes(b), nil
}

func (p *Param) expectedHex() string {
	return fmt.Sprintf("an even number of hexadecimal digits, of at most %d bytes", p.Max)
}

func hexText(b []byte) string { return "0x" + hex.EncodeToString(b) }
