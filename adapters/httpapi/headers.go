package httpapi

import "github.com/lockbox-go/lockbox/domain"

// Echo has no constants for these headers of the API.
const (
	headerAPIKey               = "X-API-Key"
	headerEncryptionKey        = "X-Encryption-Key"
	headerEncryptionKeyChanged = "X-Encryption-Key-Changed"
	headerEncryptionKeyID      = "X-Encryption-Key-Id"
	headerInitToken            = "X-Init-Token"
	// The original API does not have these response headers. Their values are not in the response bodies, because
	// clients of the original API compare whole bodies.
	headerInstallation = "X-Lockbox-Installation"
	headerUserID       = "X-Lockbox-User-Id"

	headerETag        = "ETag"
	headerIfMatch     = "If-Match"
	headerIfNoneMatch = "If-None-Match"
)

// encryptionKey removes the encryption key from the request and parses it. If the key is missing or damaged,
// encryptionKey returns an unusable key and no error. The use case must authorise the caller before it reports the
// problem with the key. The handler must clear the key.
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

// takeHeader returns a header that holds a secret and removes it from the request. It returns "" if the request has no
// such header. It refuses a repeated header, because the server cannot know which value the client means.
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
		return "", domain.InvalidField(name, "header_repeated",
			"the header "+name+" is sent more than once: send it once")
	}
}
