package terminal

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/cmd/lockbox/interchange"
)

// TestAssignment checks which texts look like an assignment. The function assignment sees only the text and not the
// entry, so the fields of the entry have no effect.
func TestAssignment(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"db.password=new", "db:password=new", ".db.password=new", "db/password=x", "/db/password=x", "db[0]=x",
		"db.hosts[0]=x", "db.hosts.1: x", "db.hosts[0].name=x", "db.password: new", "db.password:new",
		".db.password: new", "$.db.password = new", "$['db']['password']=new", `["db"]["password"]=new`,
		`"db": {"password": "new"}`, "db->password=new", "db:password:new", "DB_PASSWORD: new",
		"export DB_PASSWORD=new", "--db.password=new", "- db: x", "db: x", "db := x", "db.password := new",
		"api_key=x", "api-key: x", `"two words": 2`, "\u00fcn\u00ef=3", "a.b=4", "# comment\n\ndb:\n  password: new",
		"A=1", "a=", "_A.b-c[0]=x", "0=1", "A =1", "A\t=1", "A:=1", "A :=1", "export A=1", "export=1", "  A=1",
		"\n\r\n\f A=1", "# text\nA=1", "\n # a=b\n\n#\nA=1\nrest", "# a\rA=1", `{"a":1}`, "{}", "{ \n}",
		"# text\n{}", "A==", "A=" + strings.Repeat("x", 100), "db.newfield: x", "db.pasword: new", "password: new",
		"[db]\npassword = x", "* db.password=x", "let db.password=x", "A=1\nB=2", "other: x", "the db: x", "a += 1",
		"a ?= 1", "db => x", "text\nof lines\nA=1", "see https://host/path\nA=1", "see https://host A=1",
		"DATABASE_URL=postgres://host/db", "DATABASE_URL: postgres://host/db", "0: x", "A\uff1d1", "A\uff1a 1",
		"{{ .Value }}: x",
	} {
		_, found := assignment(text)
		assert.True(t, found, "%q", text)
	}
	for _, text := range []string{
		"", " ", "A", "=1", ":=1", "=x", ": db", "db.password", "hello", "plain text",
		"a sentence, without any (really)!",
		"https://db.example.org/x=y", "see https://db.example.org/?a=b&c=d for more", "db://host/path",
		"postgres://user:password@host:5432/db?sslmode=disable", "at 12:30, or 10:20:30", "# A=1", "#\n# A=1: x",
		"export", "a b", "[1]", "[1, 2]", "{a", "{ 1}", "{", "[section]", "{{ .Value }}", "...", "==", "::",
		strings.Repeat("x", 100),
	} {
		_, found := assignment(text)
		assert.False(t, found, "%q", text)
	}
}

// TestInvisibleCharacters checks that an assignment is found despite invisible characters in the text.
func TestInvisibleCharacters(t *testing.T) {
	t.Parallel()
	for _, c := range "\ufeff\u00a0\u200b\u200c\u200d\u200e\u202e\u2060\u00ad\u3000\u2003\u202f\u1680" +
		"\u180e\ufe0f\u3164\u115f\U000e0020\x00\v\u0301" {
		hidden := string(c)
		for _, text := range []string{"db.password=new", "db.password: new", "PASSWORD = 1", `{"password":"z"}`, "{}"} {
			for _, at := range []int{0, 1, 5, 11} {
				if at = min(at, len(text)-1); text == "{}" && hidden == "\u0301" {
					continue // a visible accent
				}
				changed := text[:at] + hidden + text[at:]
				_, found := assignment(changed)
				assert.True(t, found, "%q", changed)
			}
			_, found := assignment(strings.Repeat(hidden, 3) + strings.Join(strings.Split(text, ""), hidden))
			assert.True(t, found || hidden == "\u0301", "%q between all characters", text)
		}
		_, found := assignment(hidden + "https://host/a=b" + hidden)
		assert.False(t, found, "%q and a URL", hidden)
	}
}

// TestFieldToSet checks that a message contains a name only if the object has a field with this name. Any other text
// may be a secret.
func TestFieldToSet(t *testing.T) {
	t.Parallel()
	object, err := interchange.Parse([]byte(`{"password":"old","hosts":{"a":1},"two words":1}`))
	require.NoError(t, err)
	for name, want := range map[string]string{
		"password":    "db.password",
		"db.password": "db.password",
		"hosts.a":     "db.hosts.a",
		"db.hosts.a":  "db.hosts.a",
		"PASSWORD":    "db.NAME",
		"secret":      "db.NAME",
		"two words":   "db.NAME",
		"":            "db.NAME",
	} {
		assert.Equal(t, want, fieldToSet("db", object, name), name)
	}
	assert.Equal(t, "NAME", fieldToSet("", object, "password"))
}
