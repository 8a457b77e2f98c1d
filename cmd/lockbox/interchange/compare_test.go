package interchange

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestCompare checks how Compare classifies fields, and that it ignores order, white space and escapes.
func TestCompare(t *testing.T) {
	t.Parallel()
	before := parsed(t, `{"same":"é","moved":1,"db":{"host":"h","old":true},"list":[1, 2],"empty":{},"n":1.0}`)
	after := parsed(t, `{"moved":1,"same":"\u00e9","db":{"host":"i","new":1},"list":[1,2],"empty":{},"n":1.00}`)
	assert.Equal(t, Changes{
		Added:     []string{"db.new"},
		Changed:   []string{"db.host", "n"},
		Removed:   []string{"db.old"},
		Unchanged: []string{"moved", "same", "list", "empty"},
	}, Compare(before, after))
	assert.True(t, Compare(after, after).None())
	assert.Equal(t, []string{"a"}, Compare(parsed(t, `{}`), parsed(t, `{"a":null}`)).Added)
	assert.False(t, Compare(parsed(t, `{"a.b":1,"a":{"b":2}}`), parsed(t, `{"a.b":2,"a":{"b":1}}`)).None())
	assert.False(t, Compare(parsed(t, `{"a":["b","c"]}`), parsed(t, `{"a":["b c"]}`)).None())
}

// TestMerge checks that update takes precedence, that fields keep their order, and that nested objects are merged.
func TestMerge(t *testing.T) {
	t.Parallel()
	base := parsed(t, `{"a":1,"db":{"host":"h","port":5},"x":{"y":1}}`)
	update := parsed(t, `{"db":{"port":6,"user":"u"},"b":2,"x":"z"}`)
	assert.Equal(t, `{"a":1,"db":{"host":"h","port":6,"user":"u"},"x":"z","b":2}`, string(Merge(base, update).JSON()))
	assert.Equal(t, `{"a":1,"db":{"host":"h","port":5},"x":{"y":1}}`, string(base.JSON()), "unchanged")
}

// TestFormatOf checks which file names FormatOf recognizes.
func TestFormatOf(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]Format{
		".env": Dotenv, "a/prod.env": Dotenv, ".env.local": Dotenv, "x.JSON": JSON, "x.yaml": YAML, "x.yml": YAML,
		".env.json": JSON,
	} {
		got, known := FormatOf(path)
		assert.True(t, known, path)
		assert.Equal(t, want, got, path)
	}
	for _, path := range []string{"-", "values", "x.txt", "env", "x.envrc"} {
		_, known := FormatOf(path)
		assert.False(t, known, path)
	}
}

// TestReadAndWriteErrors checks the errors for an unknown format and for a file that contains no object.
func TestReadAndWriteErrors(t *testing.T) {
	t.Parallel()
	for format, text := range map[Format]string{JSON: `["hunter2"]`, YAML: "hunter2"} {
		_, err := Read(format, []byte(text))
		assert.EqualError(t, err, "contains no object: the file must consist of names with values")
	}
	_, err := Read(Shell, nil)
	assert.EqualError(t, err, `unknown format "shell": use one of dotenv, json, yaml`)
	assert.EqualError(t, Write(&bytes.Buffer{}, "toml", parsed(t, "{}"), Options{}),
		`unknown format "toml": use one of dotenv, json, yaml, shell, kubernetes, docker, github`)
}

// TestKubernetesNames checks which names WriteKubernetes accepts for a Secret and for a namespace.
func TestKubernetesNames(t *testing.T) {
	t.Parallel()
	value := parsed(t, `{"a":"1"}`)
	assert.Equal(t, "payments-eu-stripe-live", SecretName("payments/eu:stripe_live"))
	for _, secret := range []Secret{{Name: ""}, {Name: "A"}, {Name: "a_b"}, {Name: "-a"}, {Name: "a", Namespace: "a.b"},
		{Name: "a", Namespace: "A"}} {
		assert.Error(t, Write(&bytes.Buffer{}, Kubernetes, value, Options{Secret: secret}), secret)
	}
	var out bytes.Buffer
	require.NoError(t, Write(&out, Kubernetes, value, Options{Secret: Secret{Name: "a.b-c"}}))
	assert.Equal(t, "apiVersion: v1\nkind: Secret\nmetadata:\n  name: \"a.b-c\"\ntype: Opaque\ndata:\n  A: \"MQ==\"\n",
		out.String())
}

// TestCompareLongName compares objects in which a field with a long name has many members. The paths of all these
// members would need a hundred megabytes.
func TestCompareLongName(t *testing.T) {
	t.Parallel()
	name := strings.Repeat("a", 100_000)
	many := func(value string) Value {
		return parsed(t, `{"`+name+`":{`+manyMembers(1000, value)+`},"b":1}`)
	}
	assert.True(t, Compare(many("1"), many("1")).None())
	assert.Equal(t, []string{name}, Compare(many("1"), many("2")).Changed)
	assert.Equal(t, []string{"b"}, Compare(many("1"), parsed(t, `{"b":2}`)).Changed)
}

func manyMembers(count int, value string) string {
	members := make([]string, count)
	for i := range members {
		members[i] = fmt.Sprintf(`"%d":%s`, i, value)
	}
	return strings.Join(members, ",")
}
