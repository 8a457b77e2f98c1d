package docs

import (
	"math/bits"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/client"
	"github.com/lockbox-go/lockbox/domain"
)

// TestPermissionsAreNamedEverywhere verifies that the client, the API description and the pages name every permission
// of domain/permission.go.
func TestPermissionsAreNamedEverywhere(t *testing.T) {
	t.Parallel()
	names := domain.AllPermissions.Names()
	require.Len(t, names, bits.OnesCount8(uint8(domain.AllPermissions)), "a permission has no name")

	var ofClient []string
	for _, permission := range client.Permissions() {
		ofClient = append(ofClient, string(permission))
	}
	require.Equal(t, names, ofClient, "client/boxes.go")

	var inAPI []string
	for _, value := range described(t).Components.Schemas["Permission"].Value.Enum {
		inAPI = append(inAPI, value.(string))
	}
	require.Equal(t, names, inAPI, "the schema Permission of api/openapi.yaml")

	for _, file := range []string{"README.md", "docs/http.md", "api/openapi.yaml"} {
		for _, name := range names {
			require.Contains(t, page(t, file), "`"+name+"`", file)
		}
	}
}
