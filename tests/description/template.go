package description

import (
	"cmp"
	"net/url"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// template is a path in the description, such as /boxes/{box}. This package matches paths itself, because both routers
// of kin-openapi have a fault: one router treats an encoded slash as a separator, and the other router does not decode
// parameters.
type template struct {
	path     string
	segments []string
	item     *openapi3.PathItem
}

func isParameter(segment string) bool { return strings.HasPrefix(segment, "{") }

// compare defines the order in which templates are tried. If one template has a literal segment where the other has a
// parameter, the template with the literal segment comes first.
func (t template) compare(other template) int {
	for i := range min(len(t.segments), len(other.segments)) {
		if a, b := isParameter(t.segments[i]), isParameter(other.segments[i]); a != b {
			if a {
				return 1
			}
			return -1
		}
	}
	return cmp.Compare(t.path, other.path)
}

// match reports whether an encoded path matches the template. It returns the path's parameters, each decoded once.
func (t template) match(path string) (map[string]string, bool) {
	segments := strings.Split(path, "/")
	if len(segments) != len(t.segments) || segments[len(segments)-1] == "" && isParameter(t.segments[len(segments)-1]) {
		return nil, false
	}
	parameters := make(map[string]string)
	for i, wanted := range t.segments {
		if !isParameter(wanted) {
			if segments[i] != wanted {
				return nil, false
			}
			continue
		}
		text, err := url.PathUnescape(segments[i])
		if err != nil {
			text = ""
		}
		parameters[strings.Trim(wanted, "{}")] = text
	}
	return parameters, true
}
