package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/client"
)

func TestInvitation(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	root := connect(t, nil)
	made, err := root.InviteUser(ctx, client.NewInvitation{Username: "Guest", Role: client.RoleAdmin, Expiry: "P1D"})
	require.NoError(t, err)
	require.Equal(t, "guest", made.Username)
	require.Equal(t, client.RoleAdmin, made.Role)
	require.WithinDuration(t, time.Now().Add(24*time.Hour), made.ExpiresAt, time.Minute)
	require.NotContains(t, fmt.Sprintf("%v %+v", made, made), made.Code.Reveal())
	listed, err := root.ListInvitations(ctx)
	require.NoError(t, err)
	at := slices.IndexFunc(listed, func(each client.Invitation) bool { return each.Username == "guest" })
	require.GreaterOrEqual(t, at, 0)
	require.WithinDuration(t, time.Now(), listed[at].CreatedAt, time.Minute)
	require.Equal(t, client.Invitation{
		Username:  "guest",
		Role:      client.RoleAdmin,
		State:     client.InvitationOpen,
		InvitedBy: "root",
		CreatedAt: listed[at].CreatedAt,
		ExpiresAt: made.ExpiresAt,
	}, listed[at])

	anonymous := connect(t, func(config *client.Config) { config.Token = client.Secret{} })
	_, err = anonymous.AcceptInvitation(ctx, made.Code, client.Secret{})
	require.ErrorIs(t, err, client.ErrInvalid)
	require.Equal(t, "password_required", failure(t, err).Code)
	name, err := anonymous.AcceptInvitation(ctx, made.Code, client.NewSecret("guest-password"))
	require.NoError(t, err)
	require.Equal(t, "guest", name)
	t.Cleanup(func() { deleted(t, root.DeleteUser(context.Background(), "guest")) })
	_, err = anonymous.SignIn(ctx, client.Credentials{Username: "guest", Password: client.NewSecret("guest-password")})
	require.NoError(t, err)
	_, err = anonymous.AcceptInvitation(ctx, made.Code, client.NewSecret("guest-password"))
	require.ErrorIs(t, err, client.ErrUnauthenticated)
	require.Equal(t, "invitation_invalid", failure(t, err).Code)
	_, err = root.InviteUser(ctx, client.NewInvitation{Username: "guest"})
	require.ErrorIs(t, err, client.ErrConflict)
}

func TestRevokeInvitation(t *testing.T) {
	t.Parallel()
	root := connect(t, nil)
	_, err := root.InviteUser(t.Context(), client.NewInvitation{Username: "unwanted"})
	require.NoError(t, err)
	require.NoError(t, root.RevokeInvitation(t.Context(), "unwanted"))
	require.ErrorIs(t, root.RevokeInvitation(t.Context(), "unwanted"), client.ErrNotFound)
}

// Invite a user. The user then chooses the password.
func ExampleClient_InviteUser() {
	ctx := context.Background()
	c, err := client.FromEnv()
	if err != nil {
		log.Fatal(err)
	}
	invitation, err := c.InviteUser(ctx, client.NewInvitation{Username: "newcomer", Expiry: "P3D"})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = c.DeleteUser(ctx, "newcomer") }()

	// The program of the invited person needs only the URL of the server and the code.
	theirs, err := client.New(client.Config{URL: os.Getenv("LOCKBOX_API_URL")})
	if err != nil {
		log.Fatal(err)
	}
	name, err := theirs.AcceptInvitation(ctx, invitation.Code, client.NewSecret("a password of their own"))
	fmt.Println(name, err)
	_, err = theirs.AcceptInvitation(ctx, invitation.Code, client.NewSecret("another password"))
	fmt.Println("used:", errors.Is(err, client.ErrUnauthenticated))
	// Output:
	// newcomer <nil>
	// used: true
}
