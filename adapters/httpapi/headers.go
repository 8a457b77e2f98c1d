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

// encryptionKey removes the encryption key from the request and parses it. A missing or damaged key is no error here:
// it becomes an unusable key, because the use case authorises the caller first. The caller clears the key.
func (r *request) encryptionKey() (domain.EncryptionKey, error) {
	text, err := r.takeHeader(headerEncryptionKey)
	if err != nil {
		return domain.EncryptionKey{}, err
	}
	key, err := domain.ParseEncryptionKey(text)
	if err != nil {
		return domain.UnusableEncryptionKey(err), nil
	}
	return key, nil
}

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
