package domain

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// DropletID identifies one build of a droplet. A label of the container contains the identifier, so that the container
// of an interrupted build can be found and removed.
type DropletID = ID[Droplet]

// DropletName is the name of a droplet and of its container: the prefix and two digits, from 01 to 99.
type DropletName string

// DropletPrefix begins the name of every droplet of this installation.
type DropletPrefix string

const (
	// MaxDroplets is the maximum number of droplets on one host. It is 99, because the number in the name of a droplet
	// has two digits.
	MaxDroplets = 99
	// maxPrefix is the maximum length of a prefix. With two digits appended, the name stays well below the 63
	// characters that a label of a host name may have (RFC 1123).
	maxPrefix      = 40
	shortContainer = 12
)

// These errors about droplets are returned in several places.
var (
	// ErrDropletNotFound is returned for every name that is not a droplet of this installation. The error is the same
	// if the host has another container of that name, because callers must not learn about other containers.
	ErrDropletNotFound = Refuse(NotFound, "droplet_not_found", "there is no such droplet")
	// ErrDropletHostRefused means that the droplet host refused a request. HostRefused adds the host's reason.
	ErrDropletHostRefused = Refuse(Invalid, "droplet_host_refused", "the droplet host refused the request")
	// ErrDropletReasonWithheld replaces a refusal by the host if the reason of the refusal contains a secret.
	ErrDropletReasonWithheld = Refuse(Invalid, "droplet_reason_withheld",
		"the droplet host refused the request; the reason is withheld because it contains a value from the field env")
)

// HostRefused returns ErrDropletHostRefused with the host's reason as its message.
func HostRefused(reason string) *Error {
	refusal := *ErrDropletHostRefused
	refusal.Message = reason
	return &refusal
}

// AsHostRefusal returns the *Error in err, and whether err is a refusal by the droplet host.
func AsHostRefusal(err error) (*Error, bool) {
	if CodeOf(err) != ErrDropletHostRefused.Code {
		return nil, false
	}
	return errors.AsType[*Error](err)
}

// ParseDropletPrefix reads a prefix: 1 to 40 lower-case letters, digits and '-', beginning with a letter. With two
// digits appended it is a valid host name (RFC 1123).
func ParseDropletPrefix(text string) (DropletPrefix, error) {
	valid := text != "" && len(text) <= maxPrefix && 'a' <= text[0] && text[0] <= 'z'
	for i := range len(text) {
		c := text[i]
		valid = valid && ('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-')
	}
	if !valid {
		return "", InvalidField("prefix", "invalid_prefix",
			"must be 1 to 40 lower-case letters, digits and '-', beginning with a letter")
	}
	return DropletPrefix(text), nil
}

// Name returns the name of the droplet with a number from 1 to MaxDroplets.
func (p DropletPrefix) Name(number int) DropletName {
	return DropletName(fmt.Sprintf("%s%02d", string(p), number))
}

// Parse returns the droplet number in name. The result ok is false if name is not the name of a droplet with this
// prefix.
func (p DropletPrefix) Parse(name string) (number int, ok bool) {
	digits, found := strings.CutPrefix(name, string(p))
	if !found || len(digits) != 2 || !isDigit(digits[0]) || !isDigit(digits[1]) {
		return 0, false
	}
	number, _ = strconv.Atoi(digits)
	return number, number > 0
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// Free lists the unused numbers, lowest first.
func (p DropletPrefix) Free(droplets []Droplet) []int {
	var taken [MaxDroplets + 1]bool
	for _, droplet := range droplets {
		if number, ok := p.Parse(string(droplet.Name)); ok {
			taken[number] = true
		}
	}
	free := make([]int, 0, MaxDroplets)
	for number := 1; number <= MaxDroplets; number++ {
		if !taken[number] {
			free = append(free, number)
		}
	}
	return free
}

// NoFreeNumber is the refusal to create a droplet when all numbers are in use.
func (p DropletPrefix) NoFreeNumber() *Error {
	return Refuse(Conflict, "no_droplet_number",
		"all numbers from "+string(p.Name(1))+" to "+string(p.Name(MaxDroplets))+" are taken")
}

// NoUsableNumber is the refusal to create a droplet when no free number could be used. The argument "occupied" lists
// the numbers whose ports are in use on the host. The argument "untried" lists the numbers that were not tried within
// the time limit. Both lists are in ascending order.
func (p DropletPrefix) NoUsableNumber(occupied, untried []int) *Error {
	if len(occupied) == 0 {
		return p.NoFreeNumber()
	}
	refusal := *p.NoFreeNumber()
	refusal.Message = "no number from " + string(p.Name(1)) + " to " + string(p.Name(MaxDroplets)) +
		" can be used: " +
		"other programs or containers on the host occupy port 22NN, 80NN or 443NN " +
		"(NN is the number of the droplet) of " + p.list(occupied)
	if len(untried) > 0 {
		refusal.Message += "; " + p.list(untried) + " could not be tried within the time limit"
	} else {
		refusal.Message += "; all other names are taken"
	}
	return &refusal
}

// list names droplets by their ascending numbers, and joins consecutive numbers: droplet01, droplet03 to droplet05.
func (p DropletPrefix) list(numbers []int) string {
	var ranges []string
	for i := 0; i < len(numbers); {
		last := i
		for last+1 < len(numbers) && numbers[last+1] == numbers[last]+1 {
			last++
		}
		text := string(p.Name(numbers[i]))
		if last > i {
			text += " to " + string(p.Name(numbers[last]))
		}
		ranges = append(ranges, text)
		i = last + 1
	}
	return strings.Join(ranges, ", ")
}

// SSHKeyEntry returns the key of the entry that stores the private SSH key of a droplet.
func (n DropletName) SSHKeyEntry() EntryKey { return EntryKey("droplets/" + string(n) + "/ssh") }

// PublishedPort maps a port of a droplet to a port of its host.
type PublishedPort struct {
	Port int
	// Protocol is tcp or udp.
	Protocol string
	// HostIP is the host's address on which the port is published; empty means every interface.
	HostIP   string
	HostPort int
}

// loopback is the host address of ports that only a proxy on the host may reach.
const loopback = "127.0.0.1"

// DropletPorts returns the published ports of the droplet with the number NN. Port 22 is published as 22NN on every
// interface of the host. Ports 80 and 443 are published as 80NN and 443NN on the host's loopback address only.
func DropletPorts(number int) []PublishedPort {
	return []PublishedPort{
		{Port: 22, Protocol: "tcp", HostPort: 2200 + number},
		{
			Port:     80,
			Protocol: "tcp",
			HostIP:   loopback,
			HostPort: 8000 + number,
		},
		{
			Port:     443,
			Protocol: "tcp",
			HostIP:   loopback,
			HostPort: 44300 + number,
		},
	}
}

// Droplet is a container that behaves like a small server. The fields contain what its host reports.
type Droplet struct {
	// Container is the host's identifier, 64 hexadecimal digits.
	Container string
	Name      DropletName
	// Build identifies the build that created the container. It is zero when the host reports no build.
	Build DropletID
	// CreatedAt has a resolution of one second.
	CreatedAt time.Time
	// Started reports whether the container ran at least once.
	Started bool
	// Status is a phrase from the host, such as "Up 8 minutes".
	Status string
	// Ports are the ports that the host publishes now, over IPv4 only. The list is empty while the droplet is stopped.
	Ports []PublishedPort
}

// ShortID returns the abbreviated container identifier that clients see.
func (d Droplet) ShortID() string { return d.Container[:min(len(d.Container), shortContainer)] }

// NewestFirst sorts droplets by age. The sort is stable: droplets created in the same second keep the host's order.
func NewestFirst(droplets []Droplet) {
	slices.SortStableFunc(droplets, func(a, b Droplet) int { return b.CreatedAt.Compare(a.CreatedAt) })
}

// FindDroplet returns the droplet with exactly this name, or ErrDropletNotFound when no droplet has the name.
func FindDroplet(droplets []Droplet, name string) (Droplet, error) {
	for _, droplet := range droplets {
		if string(droplet.Name) == name {
			return droplet, nil
		}
	}
	return Droplet{}, ErrDropletNotFound
}

// VersionRef identifies one version of an entry. BoxName is for audit events.
type VersionRef struct {
	Box     BoxID
	BoxName BoxName
	Key     EntryKey
	Version uint64
}

// IsZero reports whether the reference names no version. A reference to a version of a deleted box also counts as zero.
func (r VersionRef) IsZero() bool { return r.Version == 0 || r.Box.IsZero() }

// DropletRecord is the database's record of a droplet: where its private key is stored, and whether its build or its
// removal is complete. The record is inserted before the first request of the build is sent to the host. Decisions
// about entries rely on the record only, never on container labels, because everyone with access to the host can change
// labels.
type DropletRecord struct {
	ID   DropletID
	Name DropletName
	// Container is empty until the build is complete.
	Container string
	// VersionRef is the version that holds the private key. It is zero when the key was not stored.
	VersionRef
	// Replaced is the version that was current before VersionRef was written. It is zero when the entry had no value.
	Replaced uint64
	// BusyUntil is the end of the lease of the server that builds or removes the droplet. It is zero while no server is
	// working on the droplet.
	BusyUntil time.Time
	// Abandoned marks a record whose droplet and entry are to be removed.
	Abandoned bool
	CreatedAt time.Time
}

// Complete reports whether the droplet was built completely. Cleanup undoes the writes of an incomplete build.
func (r DropletRecord) Complete() bool { return r.Container != "" }

// Orphaned reports whether a build or a removal was interrupted. This is true if the lease of the server expired before
// the work was complete.
func (r DropletRecord) Orphaned(now time.Time) bool {
	return !r.BusyUntil.IsZero() && !now.Before(r.BusyUntil)
}

// NewDropletRecord returns the record of a build whose lease ends at busyUntil.
func NewDropletRecord(id DropletID, now, busyUntil time.Time) DropletRecord {
	return DropletRecord{ID: id, BusyUntil: busyUntil, CreatedAt: now}
}

// ChooseImage returns the requested image if it is allowed, and the first allowed image when none was requested.
func ChooseImage(requested string, allowed []string) (string, error) {
	if requested == "" && len(allowed) > 0 {
		return allowed[0], nil
	}
	if !slices.Contains(allowed, requested) {
		return "", InvalidField("image", "invalid_image", "image must be one of: "+strings.Join(allowed, ", "))
	}
	return requested, nil
}
