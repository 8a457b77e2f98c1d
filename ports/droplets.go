package ports

import (
	"context"
	"time"

	"github.com/lockbox-go/lockbox/domain"
)

// DropletHost runs droplets as containers. It is asked each time: nothing that it says is kept. Each method has a limit on
// its time, also where ctx has none. Errors: Unavailable with code droplet_host_unavailable when the host does not answer,
// and what it was asked for may happen all the same; Invalid with code droplet_host_refused, and the host's reason, when it
// answers that it will not.
type DropletHost interface {
	// List returns the droplets of this service, newest first, and no other container: those that carry this
	// installation's label and whose name is the prefix with a number. At most five seconds.
	List(ctx context.Context) ([]domain.Droplet, error)
	// Create makes a container that does not run yet, with the authorized key in place. Conflict when the name is taken, by
	// whatever container; the host is the arbiter among servers that make droplets at once. At most ten seconds.
	Create(ctx context.Context, droplet NewDroplet) (container string, err error)
	// Start starts a container. It is no error when it runs already.
	Start(ctx context.Context, container string) error
	// Stop asks the container's program to end, kills it when it does not, and returns when it has ended. At most the
	// host's time for stopping and five seconds. It is no error when it does not run.
	Stop(ctx context.Context, container string) error
	// Restart is Stop and Start.
	Restart(ctx context.Context, container string) error
	// Remove kills the container and removes it with its volumes. It is no error when it is gone.
	Remove(ctx context.Context, container string) error
}

// NewDroplet is a droplet to be made.
type NewDroplet struct {
	// Made is shown again by List, so that what was made can be found by whoever lost the answer.
	Made  domain.DropletID
	Name  domain.DropletName
	Image string
	// Env is NAME=value. It is given to the host, which shows it to whoever may ask it.
	Env []domain.Secret
	// AuthorizedKey is a line for /root/.ssh/authorized_keys.
	AuthorizedKey string
	Ports         []domain.PublishedPort
}

// SSHKey is a new pair of keys.
type SSHKey struct {
	// Private is in OpenSSH's format, as ssh -i reads it.
	Private domain.Secret
	// Authorized is the public half as a line of authorized_keys, with the comment.
	Authorized string
}

// NewSSHKeyFunc makes an Ed25519 pair.
type NewSSHKeyFunc func(comment string) (SSHKey, error)

// DropletRecords stores what is known of droplets apart from their host.
type DropletRecords interface {
	// Add inserts the record of a making that begins.
	Add(ctx context.Context, record domain.DropletRecord) error
	// List returns all records, oldest first.
	List(ctx context.Context) ([]domain.DropletRecord, error)
	// NoteEntry stores what the private key was written as. ErrDropletAbandoned when somebody takes the making back.
	NoteEntry(ctx context.Context, id domain.DropletID, entry domain.Entry) error
	// Finish makes the record that of a whole droplet, and drops older ones of that name, whose containers are gone: a
	// name is taken once on a host. ErrDropletAbandoned as above.
	Finish(ctx context.Context, id domain.DropletID, name domain.DropletName, container string) error
	// Claim marks the record as abandoned for one who removes the droplet until then, and returns it as it is now; ok is
	// false when it has changed hands since it was read.
	Claim(ctx context.Context, read domain.DropletRecord, until time.Time) (record domain.DropletRecord, ok bool,
		err error)
	// Release gives a claimed record back: to whoever comes at that time, or, with the zero time, as that of a whole
	// droplet.
	Release(ctx context.Context, claimed domain.DropletRecord, at time.Time) error
	// Delete removes a record.
	Delete(ctx context.Context, id domain.DropletID) error
}

// DropletVault is what droplets need of boxes. Who may do what there, sealing, limits and the record of it stay with those
// who look after boxes.
type DropletVault interface {
	// Authorize decides whether the requester has permissions over the entries of a box. NotFound with code box_not_found,
	// Forbidden with code permission_missing, each on record.
	Authorize(ctx context.Context, by domain.Requester, box string, wanted domain.Permissions) error
	// Read returns the JSON text of an entry; on record before it returns.
	Read(ctx context.Context, by domain.Requester, at EntryAddress) ([]byte, error)
	// Write writes JSON text as a new version of an entry, and calls note in the same transaction.
	Write(ctx context.Context, by domain.Requester, at EntryAddress, value []byte,
		note func(ctx context.Context, repos Repos, entry domain.Entry) error) error
	// DeleteUnchanged deletes the entry of a record on the service's own authority, on record, if its value is still the
	// version that was written. It is no error when it is not.
	DeleteUnchanged(ctx context.Context, by domain.Requester, record domain.DropletRecord) error
}

// EntryAddress is where an entry is, as a requester names it, and the key that opens it.
type EntryAddress struct {
	Box           string
	Key           string
	EncryptionKey string
}
