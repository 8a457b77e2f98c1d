// Package client is the Go client for Lockbox. It depends on the standard library only.
//
// Most programs need one call. With LOCKBOX_API_URL, LOCKBOX_API_KEY, LOCKBOX_ENCRYPTION_KEY, LOCKBOX_BOX_NAME and
// LOCKBOX_ENTRY_KEY in the environment, [Unmarshal] reads an entry into a settings struct:
//
//	var settings struct{ Database struct{ Password client.Secret } }
//	if err := client.Unmarshal(ctx, &settings); err != nil {
//		log.Fatal(err)
//	}
//
// Other programs create a [Client] with [New] or [FromEnv]. A Client has one method for each request of the HTTP API:
// for entries ([Client.ReadEntry], [Client.WriteEntry], …), boxes and their members, users, API keys, password sign-in,
// two-factor authentication, droplets, and the audit log ([Client.Events]). [Client.Accounts] returns the methods of
// the accounts API, where users sign in with TOTP codes.
//
// # Keyrings
//
// A box can have a keyring, which contains the key of the box, encrypted for each member to whom it was granted. Set
// Config.Identity to the result of keys.NewHolder in package client/keys. The program then needs no encryption key for
// the entries of boxes with a keyring. Before each read and write, the client fetches and verifies the keyring, and
// only then sends the key. A read uses the key under which the version is encrypted, and a write uses the current key.
//
// # Errors
//
// A failed request returns an [*Error]. Test its kind with errors.Is, for example against [ErrNotFound] or
// [ErrEncryptionKeyMismatch]. If the client cannot know whether a change was made, the error is also
// [ErrOutcomeUnknown].
//
// # Retries
//
// The client retries a request, with exponential backoff, when the connection fails, the response is cut short, or the
// status is 429, 502, 503 or 504. It retries a request only in one of these two cases, in which a second attempt is
// safe:
//
//   - The request was not executed: there was no connection, or Lockbox reports that it did not execute the request
//     (429; 503 with the code busy, database_unavailable or draining).
//   - The request is idempotent: a read, an update that sets a value, or a deletion, except a deletion of a box, a
//     user, a droplet or an invitation.
//
// Some requests are never retried after an attempt that may have taken effect: those that create something, sign in,
// refresh tokens, write without a condition, change a password or transfer a box. WriteEntry and RestoreEntry with
// IfMatch or IfNoneMatch are retried, because the condition prevents a second write. If the condition fails in a retry,
// the first attempt may already have changed the entry. The error is then ErrOutcomeUnknown instead of ErrPrecondition.
// To find out whether the entry was changed, read it. A retried deletion that finds nothing counts as a success.
//
// The client honors Retry-After up to Config.MaxRetryWait. [Config] limits the attempts, the waits and the response
// size.
//
// # Secrets
//
// Tokens, passwords and codes have the type [Secret]; encryption keys have the type [EncryptionKey]. Both types print a
// placeholder instead of their value. Errors contain the path template of the request, such as "/boxes/{box}", but not
// the path or the request body. The client does not follow redirects. It refuses http:// URLs unless the address is a
// loopback address or Config.AllowHTTP is set.
package client
