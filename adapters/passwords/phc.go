package passwords

import (
	"bytes"
	"encoding/base64"
	"fmt"

	"github.com/lockbox-go/lockbox/ports"
)

const (
	saltLen = 16
	hashLen = 32

	// The next three constants limit stored parameters. Stored parameters are checked before any key derivation, so a
	// manipulated hash cannot exhaust memory or processor time.
	maxStoredTime    = 16
	maxStoredThreads = 4
	maxStoredKiB     = 256 << 10
	maxPHCBytes      = 128 // a PHC string with the largest allowed parameters is shorter
)

// phc is a password hash in the PHC string format (https://github.com/P-H-C/phc-string-format): Argon2id version 0x13,
// then the parameters in the order m, t, p, then the salt and the hash in standard base64 without padding.
type phc struct {
	params ports.Argon2Params
	salt   [saltLen]byte
	hash   [hashLen]byte
}

var phcBase64 = base64.RawStdEncoding.Strict()

// append appends the PHC string to a slice.
func (p phc) append(to []byte) []byte {
	to = fmt.Appendf(to, "$argon2id$v=19$m=%d,t=%d,p=%d$", p.params.MemoryKiB, p.params.Time, p.params.Threads)
	to = phcBase64.AppendEncode(to, p.salt[:])
	to = append(to, '$')
	return phcBase64.AppendEncode(to, p.hash[:])
}

// parsePHC parses exactly the strings that append writes. It encodes the result and compares the encoding with the
// given text, so only one spelling of each hash is accepted. It refuses parameters above the limits.
func parsePHC(text []byte, maxKiB uint32) (phc, bool) {
	if len(text) > maxPHCBytes {
		return phc{}, false
	}
	fields := bytes.Split(text, []byte("$"))
	if len(fields) != 6 {
		return phc{}, false
	}
	var p phc
	m, t, threads := &p.params.MemoryKiB, &p.params.Time, &p.params.Threads
	if _, err := fmt.Sscanf(string(fields[3]), "m=%d,t=%d,p=%d", m, t, threads); err != nil {
		return phc{}, false
	}
	if !decodeInto(p.salt[:], fields[4]) || !decodeInto(p.hash[:], fields[5]) {
		return phc{}, false
	}
	if !withinLimits(p.params, maxKiB) || !bytes.Equal(p.append(nil), text) {
		return phc{}, false
	}
	return p, true
}

// decodeInto decodes base64 text into a slice. It returns false if the decoded bytes do not fill the slice exactly.
func decodeInto(to, text []byte) bool {
	raw, err := phcBase64.AppendDecode(nil, text)
	return err == nil && len(raw) == len(to) && copy(to, raw) == len(to)
}

// withinLimits reports whether the parameters are valid for Argon2id (RFC 9106, section 3.1) and within the limits of
// Lockbox.
func withinLimits(p ports.Argon2Params, maxKiB uint32) bool {
	return p.Threads >= 1 && p.Threads <= maxStoredThreads && p.Time >= 1 && p.Time <= maxStoredTime &&
		p.MemoryKiB >= 8*uint32(p.Threads) && p.MemoryKiB <= maxKiB
}
