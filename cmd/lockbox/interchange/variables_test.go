package interchange

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestVariables checks the names, the values and the order of variables.
func TestVariables(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		value  string
		naming Naming
		want   []string
	}{
		"nested objects": {`{"db":{"password":"x","pool":{"max":5}},"port":80}`, Naming{},
			[]string{"DB_PASSWORD=x", "DB_POOL_MAX=5", "PORT=80"}},
		"original order": {`{"b":"1","a":"2"}`, Naming{}, []string{"B=1", "A=2"}},
		"characters not allowed in names": {`{"a-b.c d":"1","é":"2","9lives":"3"}`, Naming{},
			[]string{"A_B_C_D=1", "_=2", "_9LIVES=3"}},
		"prefix": {`{"a":"1","9":"2"}`, Naming{Prefix: "app_"}, []string{"app_A=1", "app_9=2"}},
		"meaningful case": {`{"http_proxy":"1","HTTP_PROXY":"2","TF_VAR_db_pass":"3","npm_config_registry":"4",` +
			`"tf_var_x":"5","no":{"proxy":"6"},"Https_Proxy":"7"}`, Naming{},
			[]string{"http_proxy=1", "HTTP_PROXY=2", "TF_VAR_db_pass=3", "npm_config_registry=4", "TF_VAR_X=5",
				"NO_PROXY=6", "HTTPS_PROXY=7"}},
		"keys have no case": {`"x"`, Naming{Key: "proxies/http_proxy"}, []string{"HTTP_PROXY=x"}},
		"keep case": {`{"http_proxy":"1","HTTP_PROXY":"2"}`, Naming{KeepCase: true},
			[]string{"http_proxy=1", "HTTP_PROXY=2"}},
		"original digits": {`{"a":12345678901234567890,"b":1.50,"c":1E400,"d":-0}`, Naming{},
			[]string{"A=12345678901234567890", "B=1.50", "C=1E400", "D=-0"}},
		"true, false and null": {`{"a":true,"b":false,"c":null}`, Naming{}, []string{"A=true", "B=false"}},
		"arrays as JSON": {`{"a":[ 1, {"b" : "c d"} ],"e":[],"f":{}}`, Naming{},
			[]string{`A=[1,{"b":"c d"}]`, "E=[]"}},
		"escapes":       {`{"a":"\u00e9\n\"\\\t","b":""}`, Naming{}, []string{"A=é\n\"\\\t", "B="}},
		"replacement":   {`{"a":"\ufffd","b":"\uFFFD\ud83d\udd11"}`, Naming{}, []string{"A=\ufffd", "B=\ufffd🔑"}},
		"single string": {`"x"`, Naming{Key: "payments/stripe-key"}, []string{"STRIPE_KEY=x"}},
		"single number": {` 7 `, Naming{Key: "eu:limit"}, []string{"LIMIT=7"}},
		"single array":  {`[1]`, Naming{Key: "hosts", Prefix: "P_"}, []string{"P_HOSTS=[1]"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := parsed(t, test.value).Environment(test.naming)
			require.NoError(t, err)
			assert.Equal(t, test.want, got)
		})
	}
}

// TestVariablesErrors checks that errors contain the name of the field but no value.
func TestVariablesErrors(t *testing.T) {
	t.Parallel()
	const canary = "hunter2"
	for name, test := range map[string]struct {
		value  string
		naming Naming
		want   string
	}{
		"same variable": {`{"db":{"password":"hunter2"},"db_password":"hunter2"}`, Naming{},
			`"db.password" and "db_password" both become the variable DB_PASSWORD: rename one of them`},
		"names that differ by case": {`{"a":"hunter2","A":"hunter2"}`, Naming{},
			`"a" and "A" both become the variable A: rename one of them`},
		"empty name": {`{"":"hunter2"}`, Naming{}, `"" results in an empty variable name: rename the field`},
		"NUL":        {`{"a":"hunter2\u0000"}`, Naming{}, "A contains a NUL character, which a variable cannot hold"},
		"half of a surrogate pair": {`{"a":"hunter2\ud800x"}`, Naming{},
			`"a": contains half of a surrogate pair, which is not a character`},
		"invalid prefix": {`{"a":"hunter2"}`, Naming{Prefix: "9-"},
			`invalid prefix "9-": use letters, digits and '_', not beginning with a digit`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := parsed(t, test.value).Environment(test.naming)
			require.EqualError(t, err, test.want)
			assert.NotContains(t, err.Error(), canary)
		})
	}
}

// TestParseErrors checks that errors contain line numbers and names but no value.
func TestParseErrors(t *testing.T) {
	t.Parallel()
	deep := ""
	for range maxDepth + 1 {
		deep += `{"a":`
	}
	for text, want := range map[string]string{
		"{\n\"a\": hunter2}":         "line 2: invalid JSON",
		"":                           "line 1: invalid JSON",
		`{"a":1} {"b":2}`:            "line 1: invalid JSON",
		`{"a":{"b":1,"b":2}}`:        `duplicate name "a.b"`,
		"\"\xff\"":                   "not UTF-8 text",
		deep + "1" + braces(101):     "nested more than 100 levels deep",
		`{"a":[{"b":1},{"c":[2]}]`:   "line 1: invalid JSON",
		`{"a":"hunter2` + "\n" + `"`: "line 2: invalid JSON",
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

// TestField checks paths through objects and arrays.
func TestField(t *testing.T) {
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
	assert.EqualError(t, err, `the field "a" does not exist`)
}

func parsed(t *testing.T, text string) Value {
	t.Helper()
	value, err := Parse([]byte(text))
	require.NoError(t, err)
	return value
}

// stringsOf converts an object of strings to a map.
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

// TestVariablesLongName checks that Variables refuses an object whose variables would be larger than the limit.
func TestVariablesLongName(t *testing.T) {
	t.Parallel()
	_, err := parsed(t, `{"`+strings.Repeat("a", 100_000)+`":{`+manyMembers(1000, "1")+`}}`).Variables(Naming{})
	require.EqualError(t, err, "the variables are larger than 16 MiB in total")
}
