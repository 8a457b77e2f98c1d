package httpapi

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/lockbox-go/lockbox/domain"
)

// Entity tags and the preconditions If-Match and If-None-Match follow RFC 9110, sections 8.8.3 and 13.1. A tag is an
// opaque string in quotes. The entity tag of an entry is its version number in quotes, such as "3".

// entityTag is an element of a precondition header.
type entityTag struct {
	// quoted is the tag with its quotes and without W/.
	quoted string
	weak   bool
}

// versionTag returns the entity tag of a version.
func versionTag(version uint64) string { return `"` + strconv.FormatUint(version, 10) + `"` }

// condition reads If-Match and If-None-Match.
func (r *request) condition() (domain.Condition, error) {
	oneOf, err := versionsIn(r.Request().Header, headerIfMatch)
	if err != nil {
		return domain.Condition{}, err
	}
	noneOf, err := versionsIn(r.Request().Header, headerIfNoneMatch)
	return domain.Condition{OneOf: oneOf, NoneOf: noneOf}, err
}

// versionsIn returns the versions whose tags a precondition header lists. It returns nil if the request does not have
// the header. If-Match compares strongly, so a weak tag (W/"3") matches no version. If-None-Match compares weakly. A
// tag that this server never generates, such as "02", matches no version.
func versionsIn(header http.Header, name string) (*domain.Versions, error) {
	lines := header.Values(name)
	if len(lines) == 0 {
		return nil, nil
	}
	tags, all, ok := parseEntityTags(strings.Join(lines, ",")) // repeated headers form one list
	if !ok {
		return nil, domain.InvalidField(name, "invalid_precondition",
			name+` must be * or entity tags in quotes, such as "3"`)
	}
	versions := &domain.Versions{Any: all}
	for _, tag := range tags {
		if tag.weak && name == headerIfMatch {
			continue
		}
		// A version has at most 63 bits, because it is a bigint in SQL.
		number, err := strconv.ParseUint(strings.Trim(tag.quoted, `"`), 10, 63)
		if err == nil && number > 0 && versionTag(number) == tag.quoted {
			versions.List = append(versions.List, number)
		}
	}
	return versions, nil
}

// parseEntityTags parses the value of a precondition header. The value is a list of entity tags, or "*". For "*", all
// is true. Empty elements of the list are ignored. If the value is malformed or the list has no tag, ok is false.
func parseEntityTags(value string) (tags []entityTag, all, ok bool) {
	if strings.Trim(value, " \t") == "*" {
		return nil, true, true
	}
	for rest := strings.Trim(value, " \t,"); rest != ""; {
		opaque, weak := strings.CutPrefix(rest, "W/")
		end := tagEnd(opaque)
		if end == 0 {
			return nil, false, false
		}
		tags = append(tags, entityTag{quoted: opaque[:end], weak: weak})
		after := strings.TrimLeft(opaque[end:], " \t")
		if after != "" && after[0] != ',' {
			return nil, false, false
		}
		rest = strings.TrimLeft(after, " \t,")
	}
	return tags, false, len(tags) > 0
}

// tagEnd returns the length of the quoted tag at the beginning of text, or 0 if there is none. A tag may contain
// commas, but no spaces, control characters or quotes.
func tagEnd(text string) int {
	if text == "" || text[0] != '"' {
		return 0
	}
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			return i + 1
		case c <= ' ' || c == 0x7f:
			return 0
		}
	}
	return 0
}

// unmodified reports whether If-None-Match is "*" or lists the given tag. Tags are compared weakly. A malformed header
// is ignored, and the client gets the full response.
func unmodified(header http.Header, tag string) bool {
	tags, all, ok := parseEntityTags(strings.Join(header.Values(headerIfNoneMatch), ","))
	for _, each := range tags {
		all = all || each.quoted == tag
	}
	return ok && all
}

// parseVersion parses text as a version number. Versions begin at 1. The error contains the name of the query
// parameter.
func parseVersion(parameter, text string) (uint64, error) {
	number, err := strconv.ParseUint(text, 10, 63)
	if err != nil || number == 0 {
		return 0, errInvalidVersion(parameter)
	}
	return number, nil
}

// errInvalidVersion is the error for an invalid version number in a query parameter or in a body.
func errInvalidVersion(field string) error {
	return domain.InvalidField(field, "invalid_version", field+" must be a whole number, at least 1")
}
