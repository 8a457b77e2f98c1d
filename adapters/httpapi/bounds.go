package httpapi

import (
	"errors"
	"time"

	"github.com/lockbox-go/lockbox/domain"
)

// Bounds limits the connections, requests and memory that clients can occupy at any time. NewBounds derives all limits
// from the memory of the process.
type Bounds struct {
	// Connections is the maximum number of open connections.
	Connections int
	// Requests is the maximum number of requests in flight from verified callers. In addition, half as many requests
	// from unverified clients may be in flight.
	Requests int
	// RequestsPerUser is the maximum number of requests in flight from one verified user. RequestsPerAddress is the
	// maximum number of unverified requests in flight from one address.
	RequestsPerUser, RequestsPerAddress int
	// BodyBytes is the memory for request bodies over 16 KiB. One user or address can use at most a quarter of this
	// memory.
	BodyBytes int64
	// AnswerBytes is the memory for responses over 16 KiB that are being written or are waiting to be written. One user
	// or address can use at most a quarter of this memory.
	AnswerBytes int64
}

// These constants divide the memory of the process among connections, requests, large bodies and large responses. The
// rest is for the program itself, for key derivations, and for garbage that is not yet collected. memoryPerConnection
// and memoryPerRequest are measured upper bounds, in bytes.
const (
	// memoryPerConnection covers buffers, stacks, an incomplete header, the state of TLS, and the buffers of the
	// kernel. Connections get a sixth of the memory.
	memoryPerConnection = 320 << 10 / 6
	connectionsShare    = 6
	// memoryPerRequest covers a header, a small body with its decoded value, and stacks. Requests get a sixth of the
	// memory.
	memoryPerRequest = 640 << 10 / 6
	requestsShare    = 6
	// bodiesShare limits large bodies to an eighth of the memory. answersShare limits large responses to a tenth.
	bodiesShare  = 8
	answersShare = 10
	// userShare limits one user or address to a quarter of each resource.
	userShare = 4

	// assumedMemory is used if Config has no bounds.
	assumedMemory = 1 << 30
)

// NewBounds returns the bounds for a process with the given memory in bytes. Even with little memory, the server
// accepts 64 requests in flight, including 16 from one user.
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
	// maxHeaderBytes bounds the request line and the headers. net/http adds 4 KiB to this limit for HTTP/1, and 320
	// bytes for HTTP/2. A token of this server takes less than 1 KiB, and an encoded passphrase at most 1.4 KiB.
	maxHeaderBytes = 8 << 10
	// maxStreams is the maximum number of requests in flight on one HTTP/2 connection.
	maxStreams = 32
	// streamWindow limits how many bytes of request bodies the HTTP server buffers for one HTTP/2 connection.
	// streamWindow is also the limit for each stream of the connection.
	streamWindow = 64 << 10
	// kernelBuffer is the size of the send buffer and of the receive buffer of a connection, in bytes. The kernel
	// doubles the value. If the server did not set it, the kernel would buffer up to 4 MiB for a client that does not
	// read.
	kernelBuffer = 32 << 10

	// smallAnswer is the largest response that needs no share of AnswerBytes.
	smallAnswer = 16 << 10
	// bodyFactor is the memory that a large body uses, as a multiple of the size of the body. It is 3 because the
	// server holds the text, the decoded value, and the encrypted value.
	bodyFactor = 3

	// userWait is how long a request waits if its user has too many requests in flight. A short burst of requests from
	// a legitimate program ends within this time. strangerWait is how long an unverified request waits if its address
	// has too many requests in flight.
	userWait     = 5 * time.Second
	strangerWait = time.Second
	// bodyWait is how long a request waits for a share of BodyBytes. answerWait is how long a request waits for a share
	// of AnswerBytes.
	bodyWait   = 2 * time.Second
	answerWait = 2 * time.Second
	// writeTime and writeRate determine the deadline of a response. To read the response, the client has writeTime plus
	// one second for every writeRate bytes of the response.
	writeTime = 10 * time.Second
	writeRate = 32 << 10
	// maxTokenLookups is the largest number of unverified opaque tokens that are looked up at the same time. More
	// lookups would occupy database connections that verified callers need. A lookup takes less than a millisecond.
	maxTokenLookups = 1
)

// codeTooManyRequests is the error code for a request that exceeds the share of its user or address.
const codeTooManyRequests = "too_many_requests"

// errTooManyRequests refuses a request that exceeds the share of its user or address. The request had no effect.
var errTooManyRequests = tooManyRequests()

func tooManyRequests() *domain.Error {
	refusal := domain.Refuse(domain.RateLimited, codeTooManyRequests,
		"too many requests at once from this user or address: send fewer at a time, or retry after a second")
	refusal.RetryAfter = time.Second
	return refusal
}

// errResourceUsedUp is the cause of ErrBusy if the requests of all clients together have reached a bound. The log
// contains this cause, but the response does not.
var errResourceUsedUp = errors.New("the memory budget of this server is used up")
