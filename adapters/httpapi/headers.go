package httpapi

import "github.com/lockbox-go/lockbox/domain"

// The headers of the API that are not named by Echo.
const (
	headerAPIKey               = "X-API-Key"
	headerEncryptionKey        = "X-Encryption-Key"
	headerEncryptionKeyChanged = "X-Encryption-Key-Changed"
	headerInitToken            = "X-Init-Token"

	headerETag        = "ETag"
	headerIfMatch     = "If-Match"
	headerIfNoneMatch = "If-None-Match"
)

// encryptionKey returns the encryption key of a request as its client wrote it, "" if there is none.
func (r *request) encryptionKey() (string, error) { return r.takeHeader(headerEncryptionKey) }

// takeHeader returns a header that holds a secret, "" if there is none, and removes it from the request. A header that
// is sent twice is refused, because it is unknown which one the client means.
func (r *request) takeHeader(name string) (string, error) {
	header := r.Request().Header
	values := header.Values(name)
	header.Del(name)
	switch len(values) {
	case 0:
		return "", nil
	case 1:
		return values[0], nil
	default:
		return "", domain.InvalidField(name, "header_repeated", "the header "+name+" is sent more than once: send one")
	}
}
