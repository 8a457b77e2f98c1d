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

	// What is read from storage is bounded before anything is computed from it.
	maxStoredTime    = 16
	maxStoredThreads = 4
	mostStoredKiB    = 256 << 10
	maxPHC           = 128
)

// phc is a password hash (https://github.com/P-H-C/phc-string-format): version 0x13 of Argon2id, the parameters in the
// order m, t, p, and salt and hash in standard base64 without padding.
type phc struct {
	params ports.Argon2Params
	salt   [saltLen]byte
	hash   [hashLen]byte
}

var phcBase64 = base64.RawStdEncoding.Strict()

func (p phc) append(to []byte) []byte {
	to = fmt.Appendf(to, "$argon2id$v=19$m=%d,t=%d,p=%d$", p.params.MemoryKiB, p.params.Time, p.params.Threads)
	to = phcBase64.AppendEncode(to, p.salt[:])
	to = append(to, '$')
	return phcBase64.AppendEncode(to, p.hash[:])
}

// parsePHC reads exactly what append writes: whatever was read is written again and compared, so that there is one
// spelling only. Parameters above the limits are refused.
func parsePHC(text []byte, maxKiB uint32) (phc, bool) {
	if len(text) > maxPHC {
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
	if !possible(p.params, maxKiB) || !bytes.Equal(p.append(nil), text) {
		return phc{}, false
	}
	return p, true
}

func decodeInto(to, text []byte) bool {
	raw, err := phcBase64.AppendDecode(nil, text)
	return err == nil && len(raw) == len(to) && copy(to, raw) == len(to)
}

func possible(p ports.Argon2Params, maxKiB uint32) bool {
	return p.Threads >= 1 && p.Threads <= maxStoredThreads && p.Time >= 1 && p.Time <= maxStoredTime &&
		p.MemoryKiB >= 8*uint32(p.Threads) && p.MemoryKiB <= maxKiB
}
