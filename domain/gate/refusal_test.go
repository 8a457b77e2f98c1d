package gate_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
	"github.com/lockbox-go/lockbox/tests/usecases"
)

// TestRefused checks which refusals are audited, and with which outcome.
func TestRefused(t *testing.T) {
	t.Parallel()
	f := open(t)
	const denied, tampered, none = "denied", "tampered", ""
	for _, test := range []struct {
		cause error
		want  string
	}{
		{domain.ErrWrongCredentials, denied},
		{domain.ErrCodeRequired, denied},
		{domain.ErrCodeInvalid, denied},
		{domain.ErrWrongCode, denied},
		{domain.ErrRefreshToken, denied},
		{domain.ErrPermissionMissing, denied},
		{domain.ErrGroupTooLow, denied},
		{domain.ErrKeyMismatch, denied},
		{domain.ErrBoxNotFound, denied},
		{fmt.Errorf("wrapped: %w", domain.ErrPermissionMissing), denied},
		{&ports.TamperedError{What: "password"}, tampered},
		{errors.Join(&ports.TamperedError{What: "entry value"}, domain.ErrPermissionMissing), tampered},
		{nil, none},
		{domain.ErrUnauthenticated, none},
		{domain.ErrEntryNotFound, none},
		{domain.ErrPrecondition, none},
		{domain.ErrUserExists, none},
		{domain.ErrBusy, none},
		{domain.TooManyAttempts(1), none},
		{domain.InvalidField("key", "invalid_key", "no"), none},
		{errors.New("the database failed"), none},
	} {
		event := f.Gate.Event(domain.ActionReadEntry, usecases.From(home), domain.Caller{Name: "anna"})
		before := len(f.Audited(t, domain.ActionReadEntry))
		require.Equal(t, test.cause, f.Gate.Refused(t.Context(), event, test.cause))
		audited := f.Audited(t, domain.ActionReadEntry)[before:]
		if test.want == none {
			require.Empty(t, audited, "%v", test.cause)
			continue
		}
		require.Equal(t, []string{"anna " + test.want + " -"}, audited, "%v", test.cause)
	}
}
