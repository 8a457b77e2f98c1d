package domain

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// DropletID identifies one making of a droplet. Its container carries it, so that what a making left behind is found.
type DropletID = ID[Droplet]

// DropletName is the name of a droplet and of its container: the prefix and two digits, from 01 to 99.
type DropletName string

// DropletPrefix is what the names of this service's droplets begin with.
type DropletPrefix string

const (
	// MaxDroplets is how many there can be on a host: a number has two digits.
	MaxDroplets     = 99
	maxPrefix       = 40
	shortContainer  = 12
	containerDigits = 64
)

// ParseDropletPrefix reads a prefix: 1 to 40 lower-case letters, digits and '-', beginning with a letter. With two digits
// it is a name of a host (RFC 1123).
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

// Parse returns the number of a droplet of this prefix; ok is false for every other name.
func (p DropletPrefix) Parse(name string) (number int, ok bool) {
	digits, found := strings.CutPrefix(name, string(p))
	if !found || len(digits) != 2 || !isDigit(digits[0]) || !isDigit(digits[1]) {
		return 0, false
	}
	number, _ = strconv.Atoi(digits)
	return number, number > 0
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// Free lists the numbers that no droplet has, lowest first.
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

// KeyOf is where the private key of a droplet lies in its box.
func (n DropletName) KeyOf() EntryKey { return EntryKey("droplets/" + string(n) + "/ssh") }

// PublishedPort is a port of a droplet with the port of the host that it is reached at.
type PublishedPort struct {
	Port int
	// Protocol is tcp or udp.
	Protocol string
	HostIP   string
	HostPort int
}

// loopback is where ports are published that a proxy on the host is to stand before.
const loopback = "127.0.0.1"

// DropletPorts are the ports that droplet NN is to be reached at: 22 as 22NN on every interface, 80 as 80NN and 443 as
// 443NN on the host's loopback. An empty HostIP is every interface.
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

// Droplet is a container that behaves like a small server, as its host has it now.
type Droplet struct {
	// Container is the identifier that the host gave it, of 64 hexadecimal digits.
	Container string
	Name      DropletName
	// Made is the making that it came from; zero where the host does not know.
	Made DropletID
	// CreatedAt is to the second.
	CreatedAt time.Time
	// Started: it has run at least once.
	Started bool
	// Status is in the host's words.
	Status string
	// Ports are those that are published now, IPv4 alone: none while it is stopped.
	Ports []PublishedPort
}

// ShortID is how a droplet's container is shown.
func (d Droplet) ShortID() string { return d.Container[:min(len(d.Container), shortContainer)] }

// IsContainerID reports whether text is a whole identifier of a container.
func IsContainerID(text string) bool {
	return len(text) == containerDigits && !strings.ContainsFunc(text, func(c rune) bool {
		return (c < '0' || c > '9') && (c < 'a' || c > 'f')
	})
}

// UpStatus puts the first second of a droplet, for which the host has a phrase, into the form of the others.
func UpStatus(status string) string {
	const first = "Up Less than a second"
	if rest, found := strings.CutPrefix(status, first); found {
		return "Up 1 second" + rest
	}
	return status
}

// NewestFirst sorts droplets by age. Those of one second stay in the order that the host had them in.
func NewestFirst(droplets []Droplet) {
	slices.SortStableFunc(droplets, func(a, b Droplet) int { return b.CreatedAt.Compare(a.CreatedAt) })
}

// FindDroplet returns the droplet of exactly that name, as somebody typed it. The refusal repeats the name, as the host's
// own does for one that it has not.
func FindDroplet(droplets []Droplet, name string) (Droplet, error) {
	for _, droplet := range droplets {
		if string(droplet.Name) == name {
			return droplet, nil
		}
	}
	return Droplet{}, HostRefused("Error response from daemon: No such container: " + name)
}

// HostRefused is the refusal of a droplet host, with its reason.
func HostRefused(reason string) *Error { return Refuse(Invalid, "droplet_host_refused", reason) }

// DropletRecord is what is known of a droplet apart from its host: what its private key was written as, and whether it is
// whole. It is written before the host is asked for anything. What the host says of a container does not count here: who
// reaches the host could make it point at somebody else's entry.
type DropletRecord struct {
	ID   DropletID
	Name DropletName
	// Container is empty until the droplet is whole.
	Container string
	// Box, Key and Version are where the private key was written; zero where it was not, or where the box is gone.
	Box     BoxID
	BoxName BoxName
	Key     EntryKey
	Version uint64
	// BusyUntil is until when somebody makes or removes it; zero for a droplet that is whole.
	BusyUntil time.Time
	// Abandoned: it is to be removed, with what it left.
	Abandoned bool
	CreatedAt time.Time
}

// LeftOver reports whether the making, or the removal, was cut off: nobody is at it any more at now.
func (r DropletRecord) LeftOver(now time.Time) bool {
	return !r.BusyUntil.IsZero() && !now.Before(r.BusyUntil)
}

// NewDropletRecord begins a making that has until busyUntil.
func NewDropletRecord(id DropletID, now, busyUntil time.Time) DropletRecord {
	return DropletRecord{ID: id, BusyUntil: busyUntil, CreatedAt: now}
}

// ChooseImage returns the image that was asked for if it is among those that are allowed; the first of them when none was.
func ChooseImage(asked string, allowed []string) (string, error) {
	if asked == "" && len(allowed) > 0 {
		return allowed[0], nil
	}
	if !slices.Contains(allowed, asked) {
		return "", InvalidField("image", "invalid_image", "image must be one of: "+strings.Join(allowed, ", "))
	}
	return asked, nil
}
