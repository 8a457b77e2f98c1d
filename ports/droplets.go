package ports

import (
	"context"
	"errors"
	"time"

	"github.com/lockbox-go/lockbox/domain"
)

// DropletHost runs droplets as containers. Use cases query the host for every request and cache nothing. Every method
// has its own time limit, even when ctx has none. Tests of use cases replace DropletHost with a test double in memory.
//
// If the host does not answer, a method returns Unavailable with code droplet_host_unavailable; the operation may still
// take effect. If the host refuses the operation, the method returns Invalid with code droplet_host_refused and the
// host's reason.
type DropletHost interface {
	// List returns the droplets of this installation, newest first. A container is a droplet of this installation if it
	// has the label of the installation and its name consists of the prefix and a number. List takes at most five
	// seconds.
	List(ctx context.Context) ([]domain.Droplet, error)
	// Create creates a container that contains the authorized key, but does not start it. Errors: Conflict if a
	// container with the same name exists. Another server may have created it at the same time. If Create fails after
	// it has created a container, it returns the identifier of this container with the error. Create takes at most ten
	// seconds.
	Create(ctx context.Context, droplet NewDroplet) (container string, err error)
	// Start starts a container. Starting a running container is not an error. When a port of the container is in use on
	// the host, the container is not started, and the error matches both domain.ErrDropletHostRefused and ErrPortTaken.
	Start(ctx context.Context, container string) error
	// Stop terminates the container's programs, kills those that do not exit in time, and returns after the last one
	// has exited. It takes at most the host's stop timeout plus five seconds. Stopping a stopped container is not an
	// error.
	Stop(ctx context.Context, container string) error
	// Restart stops and starts a container.
	Restart(ctx context.Context, container string) error
	// Remove kills the container and removes it with its volumes. Removing a container that does not exist is not an
	// error.
	Remove(ctx context.Context, container string) error
}

// ErrPortTaken means that the host did not start a container because one of the container's ports is in use by another
// container or program.
var ErrPortTaken = errors.New("a port is in use on the droplet host")

// NewDroplet describes a droplet to be created.
type NewDroplet struct {
	// Build identifies the build. List returns this identifier, so the container of an interrupted build can be found.
	Build domain.DropletID
	Name  domain.DropletName
	Image string
	// Env contains NAME=value. The host shows these values to everyone who may inspect containers.
	Env []domain.Secret
	// AuthorizedKey is a line for /root/.ssh/authorized_keys.
	AuthorizedKey string
	Ports         []domain.PublishedPort
}

// SSHKey is a new SSH key pair.
type SSHKey struct {
	// Private is in the OpenSSH format that ssh -i reads. The caller clears it.
	Private domain.Secret
	// Authorized is the public key as a line of authorized_keys, with the comment.
	Authorized string
}

// NewSSHKeyFunc generates an Ed25519 key pair.
type NewSSHKeyFunc func(comment string) (SSHKey, error)

// DropletRecords stores the records of droplets. While a server builds or removes the droplet, the record has a lease
// that ends at BusyUntil. After the lease has expired, another server may claim the record and finish the removal.
type DropletRecords interface {
	// Add inserts the record of a build that begins.
	Add(ctx context.Context, record domain.DropletRecord) error
	// List returns all records, oldest first.
	List(ctx context.Context) ([]domain.DropletRecord, error)
	// NoteEntry stores in the record which entry holds the private key, and in which version. The argument "replaced"
	// is the previous version of the entry, or 0 if the entry had no value. Errors: ErrDropletAbandoned when another
	// server has claimed the record for removal.
	NoteEntry(ctx context.Context, id domain.DropletID, entry domain.Entry, replaced uint64) error
	// Finish marks a build as complete. It deletes older complete records of that name. Names are unique on a host, so
	// the containers of these records no longer exist. Errors: ErrDropletAbandoned when another server has claimed the
	// record.
	Finish(ctx context.Context, id domain.DropletID, name domain.DropletName, container string) error
	// Claim marks the record as abandoned and gives it a lease until the given time. It returns the new state of the
	// record. The result ok is false if another server has changed the lease since the caller read the record.
	Claim(ctx context.Context, read domain.DropletRecord, until time.Time) (record domain.DropletRecord, ok bool,
		err error)
	// Release ends the lease of a claimed record at the given time. If this time is zero, Release undoes the claim, and
	// the droplet is then complete again.
	Release(ctx context.Context, claimed domain.DropletRecord, at time.Time) error
	// Delete removes a record.
	Delete(ctx context.Context, id domain.DropletID) error
}

// DropletVault gives the use cases of droplets access to entries. The use cases of boxes implement it, and apply their
// own authorisation, limits and audit events. It is a port because packages of use cases must not import each other.
type DropletVault interface {
	// OpenBox first authorises the caller for every entry that a droplet needs. It then checks the encryption key. The
	// caller closes the box. OpenBox returns the first of these errors that applies:
	//
	//   - NotFound with code box_not_found; this error is audited.
	//   - Forbidden with code permission_missing; this error is audited.
	//   - The errors of domain.EncryptionKey.Check.
	//   - domain.ErrKeyNotCurrent, if the caller will write to the box.
	OpenBox(ctx context.Context, by domain.Requester, in OpenBox) (DropletBox, error)
	// DeleteUnchanged deletes an entry, with an audit event, if the newest version of the entry is still the given
	// version. Otherwise it does nothing. It does not check the permissions of the requester, because the server itself
	// decides on the deletion.
	DeleteUnchanged(ctx context.Context, by domain.Requester, version domain.VersionRef) error
	// UndoWrite undoes the write of a version, with an audit event. It does not check the permissions of the requester.
	// It stores the replaced version again as the newest version. The value stays sealed under its original key. If the
	// argument "replaced" is 0, UndoWrite deletes the entry, because no version was replaced. If the entry was changed
	// after the write, UndoWrite does nothing. The first call is such a change, so a second call is safe.
	UndoWrite(ctx context.Context, by domain.Requester, written domain.VersionRef, replaced uint64) error
}

// OpenBox is the request of DropletVault.OpenBox.
type OpenBox struct {
	Box         string
	Permissions domain.Permissions
	// Action is the action in the audit event if the caller is refused.
	Action domain.Action
	// EncryptionKey seals and opens the entries. The caller clears it after Close.
	EncryptionKey domain.EncryptionKey
}

// DropletBox is a box opened with an encryption key. Key derivation runs once for all reads and writes. A DropletBox is
// not safe for concurrent use. Every call authorises the caller again.
type DropletBox interface {
	// Read returns the JSON text of an entry after the audit event of the read was committed. The caller clears the
	// text.
	Read(ctx context.Context, key string) ([]byte, error)
	// Write writes JSON text as a new version of an entry. In the same transaction, Write stores the numbers of the new
	// and of the replaced version in the droplet's record; see DropletRecords.NoteEntry. The replaced version stays
	// stored.
	Write(ctx context.Context, key domain.EntryKey, value []byte, droplet domain.DropletID) error
	// Close overwrites the derived keys.
	Close()
}
