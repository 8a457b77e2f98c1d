// Package client reads and writes Lockbox from Go. It uses the standard library alone.
//
// Most programs need three lines. With LOCKBOX_API_URL, LOCKBOX_API_KEY, LOCKBOX_ENCRYPTION_KEY, LOCKBOX_BOX_NAME and
// LOCKBOX_ENTRY_KEY in the environment, [Unmarshal] fills a struct of settings from an entry:
//
//	var settings struct{ Database struct{ Password client.Secret } }
//	if err := client.Unmarshal(ctx, &settings); err != nil {
//		log.Fatal(err)
//	}
//
// Others make a [Client] with [New] or [FromEnv]. It has one method for each request of the server: entries
// ([Client.ReadEntry], [Client.WriteEntry], …), boxes and their users, users and API keys, sessions and one-time codes,
// droplets, and the record ([Client.Events]).
//
// # Errors
//
// A failed request is an [*Error], which errors.Is tests against kinds such as [ErrNotFound] and
// [ErrEncryptionKeyMismatch]. Where a change may or may not have been made, it is [ErrOutcomeUnknown] as well.
//
// # Trying again
//
// A request is sent again, after a wait that doubles, when the connection fails, the answer breaks off, or the answer is
// 429, 502, 503 or 504, but only where that is safe:
//
//   - nothing was done: no connection was made, or Lockbox itself says so (429; 503 with the code busy,
//     database_unavailable or draining), or
//   - a second time does no harm: reads, deletions but those of boxes and users, and those changes that set something to what they say.
//
// Creating, signing in, refreshing, writing without a condition, changing a password and handing a box over are never sent
// again when the first attempt may have worked. WriteEntry and RestoreEntry with IfMatch or IfNoneMatch are: the condition
// keeps the second from doing what the first did. If the condition then fails, it may be the own write that broke it, and
// the error is ErrOutcomeUnknown in place of ErrPrecondition: read the entry to see. A deletion that finds nothing after
// an attempt whose answer was lost has worked.
//
// Retry-After is waited for, up to Config.MaxRetryWait. Attempts, waits and the size of answers are bounded; see [Config].
//
// # Secrets
//
// Tokens, passwords and codes are [Secret], keys are [EncryptionKey]; neither prints. Errors show the template of a path,
// never the path, and nothing that was sent. Redirects are not followed, and http:// beyond this machine is refused
// unless Config.AllowHTTP says otherwise.
package client
