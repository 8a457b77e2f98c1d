package terminal

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/lockbox-go/lockbox/client"
)

// The text of an invitation has three parts: lbi1_, the base64url of the content, and a checksum of 6 characters. The
// content is the server's URL, a line end and the code. The text contains only characters that shells and mail programs
// do not change. The checksum reveals a damaged copy before the first request.
const (
	joinPrefix         = "lbi1_"
	joinChecksumLength = 6
)

// joinText is the inverse of parseJoinText.
func joinText(server string, code client.Secret) string {
	content := []byte(server + "\n" + code.Reveal())
	return joinPrefix + base64.RawURLEncoding.EncodeToString(content) + joinChecksum(content)
}

// joinChecksum hashes the prefix and the content with SHA-256, and returns the first characters of the encoded hash.
func joinChecksum(content []byte) string {
	sum := sha256.Sum256(append([]byte(joinPrefix), content...))
	return base64.RawURLEncoding.EncodeToString(sum[:])[:joinChecksumLength]
}

// parseJoinText returns the URL and the code of an invitation. Its errors are usage errors and do not quote the text.
func parseJoinText(text string) (server string, code client.Secret, err error) {
	refuse := func(message string) (string, client.Secret, error) {
		return "", client.Secret{}, &usageError{errors.New(message)}
	}
	body, found := strings.CutPrefix(text, joinPrefix)
	switch {
	case !found && strings.Contains(text, joinPrefix):
		return refuse("the invitation has additional characters before " + joinPrefix +
			": paste it without quotes and blanks")
	case !found:
		return refuse("an invitation begins with " + joinPrefix + ": copy the whole line again")
	case strings.ContainsFunc(body, func(r rune) bool { return !isBase64URL(r) }):
		return refuse("the invitation may contain only letters, digits, - and _: " +
			"paste it without quotes, blanks and line ends")
	}
	cut := max(0, len(body)-joinChecksumLength)
	content, err := base64.RawURLEncoding.Strict().DecodeString(body[:cut])
	server, secret, complete := strings.Cut(string(content), "\n")
	if err != nil || !complete || joinChecksum(content) != body[cut:] {
		return refuse("the invitation is damaged: a character is wrong, missing or added; copy the whole line again")
	}
	return server, client.NewSecret(secret), nil
}

// isBase64URL reports whether a character is in the alphabet of base64url.
func isBase64URL(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_'
}

// checkInvitationURL returns the URL to put into an invitation, or a usage error. A URL with plain HTTP is valid here.
// warnOfPlainHTTP warns the admin. For such a URL, lockbox join asks the invited user for confirmation, or refuses the
// invitation.
func checkInvitationURL(text string) (string, error) {
	server, err := client.New(client.Config{URL: text, AllowHTTP: true})
	if err != nil {
		return "", &usageError{fmt.Errorf("invalid --url: %w", err)}
	}
	return server.URL(), nil
}

// warnOfPlainHTTP warns about an invitation to a server that is on another machine and uses plain HTTP.
func (s *session) warnOfPlainHTTP(server string) {
	if exposesPassword(server) {
		s.warn("%s is not encrypted: others on the network can read the code and the new password; "+
			"use an https:// URL. lockbox join accepts plain HTTP only if LOCKBOX_API_ALLOW_HTTP is true", server)
	}
}

// exposesPassword reports whether a request to the URL crosses a network without encryption.
func exposesPassword(server string) bool {
	_, err := client.New(client.Config{URL: server})
	_, allowed := client.New(client.Config{URL: server, AllowHTTP: true})
	return err != nil && allowed == nil
}

// isLocal reports whether a URL names this machine. An invitation with such a URL does not work on other machines.
func isLocal(server string) bool {
	parsed, err := url.Parse(server)
	if err != nil {
		return false
	}
	// By default, a client accepts plain HTTP only for loopback addresses. To find out whether the host is such an
	// address, check whether a client accepts the URL with the scheme http.
	parsed.Scheme = "http"
	return !exposesPassword(parsed.String())
}
