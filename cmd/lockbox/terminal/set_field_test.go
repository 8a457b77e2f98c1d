package terminal

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/cmd/lockbox/interchange"
)

// TestNamesField checks which texts look like an assignment to a field of an object.
func TestNamesField(t *testing.T) {
	t.Parallel()
	object, err := interchange.Parse([]byte(
		`{"db":{"password":"old","hosts":["a","b"]},"API_KEY":"k","two words":1,"ünï":2,"a.b":3}`))
	require.NoError(t, err)
	for text, want := range map[string]bool{
		"db.password=new":                   true,
		"db:password=new":                   true,
		".db.password=new":                  true,
		"db/password=x":                     true,
		"/db/password=x":                    true,
		"db[0]=x":                           true,
		"db.hosts[0]=x":                     true,
		"db.hosts.1: x":                     true,
		"db.hosts[0].name=x":                true,
		"db.password: new":                  true,
		"db.password:new":                   true,
		".db.password: new":                 true,
		"$.db.password = new":               true,
		"$['db']['password']=new":           true,
		`["db"]["password"]=new`:            true,
		`"db": {"password": "new"}`:         true,
		"db->password=new":                  true,
		"db:password:new":                   true,
		"DB_PASSWORD: new":                  true,
		"export DB_PASSWORD=new":            true,
		"--db.password=new":                 true,
		"- db: x":                           true,
		"db: x":                             true,
		"db := x":                           true,
		"db.password := new":                true,
		"api_key=x":                         true,
		"api-key: x":                        true,
		`"two words": 2`:                    true,
		"ünï=3":                             true,
		"a.b=4":                             true,
		"# comment\n\ndb:\n  password: new": true,
		"db.password":                       false,
		"hello":                             false,
		"other: x":                          false,
		"other=x":                           false,
		"db://host/path":                    false,
		"the db: x":                         false,
		"password=x":                        false, // the path is db.password
		"database=x":                        false,
		"":                                  false,
		"=x":                                false,
		": db":                              false,
	} {
		assert.Equal(t, want, namesField(object, "", assignedNames(text)), "%q", text)
	}
}

// TestLooksLikeFields checks which texts look like fields, whatever object they would replace.
func TestLooksLikeFields(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"A=1", "a=", "_A.b-c[0]=x", "0=1", "A =1", "A\t=1", "A\n=1", "A:=1", "A :=1", "export A=1", "export \t\nA=1",
		"export=1", "export =1", "exported=1", "  A=1", "\n\r\n\f A=1", "# text\nA=1", "\n # a=b\n\n#\nA=1\nrest",
		`{"a":1}`, "{}", "{ \n}", "{\t\"", "# text\n{}", "A==", "A=" + strings.Repeat("x", 100),
	} {
		assert.True(t, looksLikeFields(text), "%q", text)
	}
	for _, text := range []string{
		"", " ", "A", "A  =1", "A: =1", "A::=1", ".A=1", "-A=1", "[0]=1", "=1", ":=1", "é=1", "A\u00a0=1",
		"export", "export ", "export  =1", "export export A=1", "exportA B=1", "# A=1", "#\n# A=1", "a b=1",
		"{a", "{ 1}", "{", "[1]", "\"A=1\"", "\vA=1", "A\v=1", strings.Repeat("x", 100),
	} {
		assert.False(t, looksLikeFields(text), "%q", text)
	}
}
