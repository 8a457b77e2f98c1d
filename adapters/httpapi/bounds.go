package httpapi

import (
	"errors"
	"time"

	"github.com/lockbox-go/lockbox/domain"
)

// Bounds limits what clients can make the server hold at once. NewBounds derives all of them from one amount of memory.
type Bounds struct {
	// Connections is the number of open connections.
	Connections int
	// Requests is the number of requests in flight of verified callers. Half as many requests of other clients may be
	// in flight in addition.
	Requests int
	// RequestsPerUser is the number of requests in flight of one verified user. RequestsPerAddress is the number of
	// requests in flight of one address whose caller is not verified yet.
	RequestsPerUser, RequestsPerAddress int
	// BodyBytes is the memory for request bodies over 16 KiB. A user may use a quarter of it.
	BodyBytes int64
	// AnswerBytes is the memory for responses over 16 KiB that are being written or wait for that. A user may use a
	// quarter of it.
	AnswerBytes int64
}

// The costs are measured upper bounds in bytes. The remaining memory is for the program itself, key derivations and
// garbage.
const (
	// memoryPerConnection is for buffers, stacks, an incomplete header and the state of TLS, and for what the kernel
	// holds. Connections get a sixth of the memory.
	memoryPerConnection = 320 << 10 / 6
	connectionsShare    = 6
	// memoryPerRequest is for a header, a small body with its decoded value, and stacks. Requests get a sixth of the
	// memory.
	memoryPerRequest = 640 << 10 / 6
	requestsShare    = 6
	// bodiesShare and answersShare are an eighth and a tenth of the memory.
	bodiesShare  = 8
	answersShare = 10
	// userShare is the part of a resource that one user may use.
	userShare = 4

	// assumedMemory is used if Config has no bounds.
	assumedMemory = 1 << 30
)

// NewBounds returns the bounds for a process with the given memory in bytes. Even with little memory, the server
// accepts 64 requests in flight, 16 of one user.
func NewBounds(memory int64) Bounds {
	connections := max(128, int(memory/connectionsShare/memoryPerConnection))
	requests := max(64, int(memory/requestsShare/memoryPerRequest))
	return Bounds{
		Connections:        connections,
		Requests:           requests,
		RequestsPerUser:    requests / userShare,
		RequestsPerAddress: requests / userShare,
		BodyBytes:          memory / bodiesShare,
		AnswerBytes:        memory / answersShare,
	}
}

const (
	// maxHeaderBytes bounds the request line and the headers. The HTTP server adds 4 KiB for HTTP/1 and 320 bytes for
	// HTTP/2. A token of this server has less than 1 KiB, a passphrase at most 1.4 KiB.
	maxHeaderBytes = 8 << 10
	// maxStreams is the number of requests in flight of one HTTP/2 connection.
	maxStreams = 32
	// streamWindow bounds the bytes of bodies that the HTTP server buffers for a connection and for a stream.
	streamWindow = 64 << 10
	// kernelBuffer is the size of the send buffer and of the receive buffer of a connection, in bytes. Without it the
	// kernel would hold up to 4 MiB for a client that does not read. The kernel doubles the value.
	kernelBuffer = 32 << 10

	// smallAnswer is the largest response that needs no share of AnswerBytes.
	smallAnswer = 16 << 10
	// bodyFactor is the memory that a large body uses, as a multiple of its size: the text, the decoded value, and the
	// encrypted value.
	bodyFactor = 3

	// userWait is how long a request waits if its user has too many requests in flight. A burst of a legitimate program
	// ends within that time. strangerWait is the same for an address.
	userWait     = 5 * time.Second
	strangerWait = time.Second
	// bodyWait and answerWait are the waits for a share of BodyBytes and AnswerBytes.
	bodyWait   = 2 * time.Second
	answerWait = 2 * time.Second
	// writeTime and writeRate are the deadline for a response: a client has writeTime plus one second for each
	// writeRate bytes.
	writeTime = 10 * time.Second
	writeRate = 32 << 10
	// maxTokenLookups is how many opaque tokens are looked up at once before they are known to be valid. More would
	// occupy the database, which verified callers need. A lookup takes less than a millisecond.
	maxTokenLookups = 1
)

// codeTooManyRequests is the code of a request that exceeds the share of its user or address.
const codeTooManyRequests = "too_many_requests"

// errTooManyRequests refuses a request that exceeds the share of its user or address. The request had no effect.
var errTooManyRequests = tooManyRequests()

func tooManyRequests() *domain.Error {
	refusal := domain.Refuse(domain.RateLimited, codeTooManyRequests,
		"too many requests at once from this user or address: send fewer at a time, or retry after a second")
	refusal.RetryAfter = time.Second
	return refusal
}

// errResourceUsedUp is the cause of ErrBusy in the log.
var errResourceUsedUp = errors.New("the memory budget of this server is used up")
