package otp_test

import (
	"testing"

	"github.com/lockbox-go/lockbox/tests/contracts"
)

// TestContract runs the conformance suite of ports.TOTP.
func TestContract(t *testing.T) {
	t.Parallel()
	contracts.TOTP(t, newCodes(t, "Lockbox"))
}
