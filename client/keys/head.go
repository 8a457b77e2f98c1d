package keys

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strconv"
)

// Mode states where the values of a box are encrypted: on the server or in the clients. The mode of a box never
// changes.
type Mode uint8

// The modes.
const (
	// ModeServer means that the server encrypts values with the key that the client sends.
	ModeServer Mode = 0
	// ModeClient means that clients encrypt values, and the server never sees the key.
	ModeClient Mode = 1
)

func (m Mode) valid() bool { return m == ModeServer || m == ModeClient }

// String returns "server" or "client".
func (m Mode) String() string {
	switch m {
	case ModeServer:
		return "server"
	case ModeClient:
		return "client"
	}
	return "mode " + strconv.Itoa(int(m))
}

const (
	headLabel = "lockbox/v1/keyring"
	headLen   = 4 + len(headLabel) + 2*(4+16) + 1 + 8 + 16 + 32 + 32
)

// Place identifies where a key is used: an installation, a box and the mode of the box.
type Place struct {
	Installation ID
	Box          ID
	Mode         Mode
}

// Head describes a keyring. The chain authenticates it.
type Head struct {
	Place

	// Sequence is the number of the keyring. It grows with every change.
	Sequence uint64
	// Key is the id of the current box key.
	Key KeyID
	// Author is the fingerprint of the identity that made the keyring.
	Author Fingerprint
	// Lines is the hash of all recipients.
	Lines [32]byte
}

// Bytes returns the 151 bytes of a head in the format of the package comment.
func (h Head) Bytes() []byte {
	out := slices.Concat(part([]byte(headLabel)), part(h.Installation[:]), part(h.Box[:]), []byte{byte(h.Mode)})
	out = binary.BigEndian.AppendUint64(out, h.Sequence)
	return slices.Concat(out, h.Key[:], h.Author[:], h.Lines[:])
}

// ParseHead parses the bytes that Bytes returns. ok is false for all other bytes.
func ParseHead(raw []byte) (_ Head, ok bool) {
	if len(raw) != headLen {
		return Head{}, false
	}
	var h Head
	rest := raw[4+len(headLabel):]
	rest = rest[4+copy(h.Installation[:], rest[4:]):]
	rest = rest[4+copy(h.Box[:], rest[4:]):]
	h.Mode = Mode(rest[0])
	h.Sequence = binary.BigEndian.Uint64(rest[1:])
	rest = rest[1+8:]
	rest = rest[copy(h.Key[:], rest):]
	rest = rest[copy(h.Author[:], rest):]
	copy(h.Lines[:], rest)
	// The code above skips the label and the lengths. The comparison with raw verifies them.
	if !h.Mode.valid() || h.Sequence == 0 || !bytes.Equal(h.Bytes(), raw) {
		return Head{}, false
	}
	return h, true
}
