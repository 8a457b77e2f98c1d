package httpapi

import (
	"strconv"
	"strings"

	"github.com/lockbox-go/lockbox/domain"
)

// An entity tag of an entry is its version number in quotes: "3". RFC 9110, section 8.8.3, defines the syntax.

// entityTag returns the entity tag of a version.
func entityTag(version uint64) string { return `"` + strconv.FormatUint(version, 10) + `"` }

// condition reads If-Match and If-None-Match. Several headers of one name are one list (RFC 9110, section 5.3).
func (r *request) condition() (domain.Condition, error) {
	oneOf, err := r.entityTags(headerIfMatch)
	if err != nil {
		return domain.Condition{}, err
	}
	noneOf, err := r.entityTags(headerIfNoneMatch)
	return domain.Condition{OneOf: oneOf, NoneOf: noneOf}, err
}

// entityTags reads all headers of one name as one list.
func (r *request) entityTags(header string) (*domain.Versions, error) {
	return parseEntityTags(header, strings.Join(r.Request().Header.Values(header), ","))
}

// parseEntityTags reads the value of a precondition header: "*", or a list of entity tags such as "3", "4". It returns
// nil for an empty value. A weak tag (W/"3") and a tag that is no version number match no entry: preconditions of a
// write need strong comparison. Malformed values are refused with code invalid_precondition.
func parseEntityTags(header, value string) (*domain.Versions, error) {
	value = strings.TrimSpace(value)
	switch value {
	case "":
		return nil, nil
	case "*":
		return &domain.Versions{Any: true}, nil
	}
	versions := &domain.Versions{}
	for tag := range strings.SplitSeq(value, ",") {
		tag = strings.TrimSpace(tag)
		opaque, weak := strings.CutPrefix(tag, "W/")
		if len(opaque) < 2 || opaque[0] != '"' || opaque[len(opaque)-1] != '"' {
			return nil, domain.InvalidField(header, "invalid_precondition",
				header+` must be * or entity tags in quotes, such as "3"`)
		}
		number, err := strconv.ParseUint(opaque[1:len(opaque)-1], 10, 63) // 63 bits: a version is a bigint in SQL
		if err == nil && !weak && number > 0 {
			versions.List = append(versions.List, number)
		}
	}
	return versions, nil
}

// parseVersion reads a version number, from 1, out of the query parameter of that name.
func parseVersion(parameter, text string) (uint64, error) {
	number, err := strconv.ParseUint(text, 10, 63)
	if err != nil || number == 0 {
		return 0, errInvalidVersion(parameter)
	}
	return number, nil
}

// errInvalidVersion is the error of a version number in a query parameter or in a body.
func errInvalidVersion(field string) error {
	return domain.InvalidField(field, "invalid_version", field+" must be a whole number from 1")
}
