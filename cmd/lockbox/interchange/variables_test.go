package interchange

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestNamesOfVariables(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		value  string
		naming Naming
		want   []string
	}{
		"objects in each other": {`{"db":{"password":"x","pool":{"max":5}},"port":80}`, Naming{},
			[]string{"DB_PASSWORD=x", "DB_POOL_MAX=5", "PORT=80"}},
		"in the order written": {`{"b":"1","a":"2"}`, Naming{}, []string{"B=1", "A=2"}},
		"what no name holds": {`{"a-b.c d":"1","é":"2","9lives":"3"}`, Naming{},
			[]string{"A_B_C_D=1", "_=2", "_9LIVES=3"}},
		"a prefix": {`{"a":"1","9":"2"}`, Naming{Prefix: "app_"}, []string{"app_A=1", "app_9=2"}},
		"the case kept": {`{"http_proxy":"1","HTTP_PROXY":"2"}`, Naming{KeepCase: true},
			[]string{"http_proxy=1", "HTTP_PROXY=2"}},
		"numbers as sent": {`{"a":12345678901234567890,"b":1.50,"c":1E400,"d":-0}`, Naming{},
			[]string{"A=12345678901234567890", "B=1.50", "C=1E400", "D=-0"}},
		"true, false and null": {`{"a":true,"b":false,"c":null}`, Naming{}, []string{"A=true", "B=false"}},
		"arrays are JSON": {`{"a":[ 1, {"b" : "c d"} ],"e":[],"f":{}}`, Naming{},
			[]string{`A=[1,{"b":"c d"}]`, "E=[]"}},
		"escapes":        {`{"a":"\u00e9\n\"\\\t","b":""}`, Naming{}, []string{"A=é\n\"\\\t", "B="}},
		"replacement":    {`{"a":"\ufffd","b":"\uFFFD\ud83d\udd11"}`, Naming{}, []string{"A=\ufffd", "B=\ufffd🔑"}},
		"a string alone": {`"x"`, Naming{Key: "payments/stripe-key"}, []string{"STRIPE_KEY=x"}},
		"a number alone": {` 7 `, Naming{Key: "eu:limit"}, []string{"LIMIT=7"}},
		"an array alone": {`[1]`, Naming{Key: "hosts", Prefix: "P_"}, []string{"P_HOSTS=[1]"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := parsed(t, test.value).Environment(test.naming)
			require.NoError(t, err)
			assert.Equal(t, test.want, got)
		})
	}
}

func TestRefusedVariables(t *testing.T) {
	t.Parallel()
	const canary = "hunter2"
	for name, test := range map[string]struct {
		value  string
		naming Naming
		want   string
	}{
		"two names that come to one": {`{"db":{"password":"hunter2"},"db_password":"hunter2"}`, Naming{},
			`"db.password" and "db_password" both come to DB_PASSWORD; rename one of them`},
		"the case": {`{"a":"hunter2","A":"hunter2"}`, Naming{},
			`"a" and "A" both come to A; rename one of them`},
		"no name": {`{"":"hunter2"}`, Naming{}, `"" comes to no name; rename it, or use a prefix`},
		"NUL":     {`{"a":"hunter2\u0000"}`, Naming{}, "A holds a NUL character, which no variable can"},
		"half a character": {`{"a":"hunter2\ud800x"}`, Naming{},
			`"a": it holds half of a surrogate pair, which is no character`},
		"a prefix that is none": {`{"a":"hunter2"}`, Naming{Prefix: "9-"},
			`the prefix "9-" cannot begin a name: use letters, digits and '_', and no digit first`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := parsed(t, test.value).Environment(test.naming)
			require.EqualError(t, err, test.want)
			assert.NotContains(t, err.Error(), canary)
		})
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	deep := ""
	for range maxDepth + 1 {
		deep += `{"a":`
	}
	for text, want := range map[string]string{
		"{\n\"a\": hunter2}":         "line 2: this is not JSON",
		"":                           "line 1: this is not JSON",
		`{"a":1} {"b":2}`:            "line 1: this is not JSON",
		`{"a":{"b":1,"b":2}}`:        `"a.b" is there twice`,
		"\"\xff\"":                   "it is not UTF-8 text",
		deep + "1" + braces(101):     "it is nested more than 100 deep",
		`{"a":[{"b":1},{"c":[2]}]`:   "line 1: this is not JSON",
		`{"a":"hunter2` + "\n" + `"`: "line 2: this is not JSON",
	} {
		_, err := Parse([]byte(text))
		if assert.Error(t, err, text) {
			assert.Equal(t, want, err.Error())
		}
	}
}

func braces(n int) string {
	text := make([]byte, n)
	for i := range text {
		text[i] = '}'
	}
	return string(text)
}

func TestFields(t *testing.T) {
	t.Parallel()
	value := parsed(t, `{"db":{"password":"x","a.b":1.50},"hosts":["a",{"port":5}],"e.f":{"g":true}}`)
	for path, want := range map[string]string{
		"db.password": `"x"`, "db.a.b": "1.50", "hosts.0": `"a"`, "hosts.1.port": "5", "hosts": `["a",{"port":5}]`,
		"e.f": `{"g":true}`,
	} {
		got, err := value.Field(path)
		if assert.NoError(t, err) {
			assert.Equal(t, want, string(got.JSON()), path)
		}
	}
	for _, path := range []string{"", "nope", "db.nope", "db.password.more", "hosts.2", "hosts.-1", "hosts.x",
		"db..password"} {
		_, err := value.Field(path)
		assert.Error(t, err, path)
	}
	_, err := parsed(t, `"x"`).Field("a")
	assert.EqualError(t, err, `there is no field "a"`)
}

func parsed(t *testing.T, text string) Value {
	t.Helper()
	value, err := Parse([]byte(text))
	require.NoError(t, err)
	return value
}

// stringsOf returns an object of strings as a map.
func stringsOf(t *testing.T, value Value) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, name := range value.Names() {
		each, _ := value.Member(name)
		text, is := each.String()
		require.True(t, is, name)
		found[name] = text
	}
	return found
}

func TestVariablesOfALongNameAroundMany(t *testing.T) {
	t.Parallel()
	_, err := parsed(t, `{"`+strings.Repeat("a", 100_000)+`":{`+manyMembers(1000, "1")+`}}`).Variables(Naming{})
	require.EqualError(t, err, "its variables come to more than 16 MiB")
}
