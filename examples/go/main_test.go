package main

import (
	"strings"
	"testing"
)

// The check value that catalogues of CRCs give for CRC-32.
func TestCheckValue(t *testing.T) {
	crc, err := sum(strings.NewReader("123456789"))
	if err != nil || crc != 0xcbf43926 {
		t.Fatalf("crc is %08x, %v", crc, err)
	}
}
