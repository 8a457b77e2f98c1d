package domain_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
)

func TestErrors(t *testing.T) {
	t.Parallel()
	refusal := domain.Refuse(domain.NotFound, "box_not_found", "there is no such box")
	require.ErrorIs(t, refusal, domain.NotFound)
	require.NotErrorIs(t, refusal, domain.Forbidden)
	require.Equal(t, "there is no such box", refusal.Error())

	caused := refusal.Because(io.EOF)
	require.ErrorIs(t, caused, domain.NotFound)
	require.ErrorIs(t, caused, io.EOF)
	require.Equal(t, "there is no such box: EOF", caused.Error())
	require.Equal(t, "there is no such box", caused.Message, "the cause is only for the log")
	require.NoError(t, refusal.Cause, "Because returns a copy")

	wrapped := fmt.Errorf("look up: %w", caused)
	require.Equal(t, domain.NotFound, domain.KindOf(wrapped))
	require.Equal(t, "box_not_found", domain.CodeOf(wrapped))
	require.Equal(t, domain.RateLimited, domain.KindOf(fmt.Errorf("sign in: %w", domain.RateLimited)))
	require.Zero(t, domain.KindOf(io.EOF))
	require.Zero(t, domain.KindOf(nil))
	require.Empty(t, domain.CodeOf(errors.Join(io.EOF, domain.NotFound)))
	require.Equal(t, domain.Invalid, domain.KindOf(domain.InvalidField("key", "invalid_key", "no")))
}

func TestKindsHaveNames(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for kind := domain.Invalid; kind <= domain.Unavailable; kind++ {
		require.NotEqual(t, "unknown kind", kind.Error())
		require.False(t, seen[kind.Error()])
		seen[kind.Error()] = true
	}
	require.Equal(t, "unknown kind", domain.Kind(0).Error())
	require.Equal(t, "unknown kind", domain.Kind(200).Error())
}
