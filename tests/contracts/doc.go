// Package contracts holds the conformance suites of the ports. The suites of the storage ports are in package storage.
//
// A suite is a function with the name of its port. It calls only the methods of the port, and checks what the comments
// of the interface promise. Every implementation, including each test double, runs the suite in a test beside its code:
//
//	func TestContract(t *testing.T) { contracts.Clock(t, system.Clock{}) }
//
// Some suites need more than an implementation of the port. Such a suite takes a function that opens a fixture, and
// calls it once for each test. Formats and other details of a single implementation are tested beside its code.
// tests/arch reports interfaces without a suite.
package contracts

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// run runs the tests of a suite in parallel. Each test has its own fixture.
func run[F any](t *testing.T, open func(t *testing.T) F, tests map[string]func(*testing.T, F)) {
	t.Helper()
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

// requireRefusal requires that err has the given kind and the given code.
func requireRefusal(t *testing.T, err error, kind domain.Kind, code string) {
	t.Helper()
	require.ErrorIs(t, err, kind)
	require.Equal(t, code, domain.CodeOf(err))
}

// requireTampered requires a TamperedError.
func requireTampered(t *testing.T, err error, about ...any) {
	t.Helper()
	require.True(t, ports.IsTampered(err), append([]any{err}, about...))
}

// damaged returns damaged copies of sealed data: each copy has one changed byte, lacks one or more bytes at the end, or
// has an additional byte.
func damaged(sealed []byte) [][]byte {
	var all [][]byte
	for i := range sealed {
		changed := bytes.Clone(sealed)
		changed[i] ^= 1
		all = append(all, changed, sealed[:i])
	}
	return append(all, append(bytes.Clone(sealed), 0))
}
