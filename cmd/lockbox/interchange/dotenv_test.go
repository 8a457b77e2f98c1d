package interchange

import (
	"bytes"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestReadDotenv covers the grammar that ReadDotenv documents.
func TestReadDotenv(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		text string
		want map[string]string
	}{
		"empty":               {"", map[string]string{}},
		"comments and blanks": {"# a\n\n  \n  # b\nA=1\n", map[string]string{"A": "1"}},
		"no final line end":   {"A=1", map[string]string{"A": "1"}},
		"export": {"export A=1\nexport\tB=2\nexport=3\nexportC=4",
			map[string]string{"A": "1", "B": "2", "export": "3", "exportC": "4"}},
		"surrounding blanks": {"  A = 1 2 \t\nB=\t\n", map[string]string{"A": "1 2", "B": ""}},
		"trailing comments": {"A=1 # one\nB=1#one\nC= # none\nD=#x\nE='1' # one\nF=\"1\"\t#one\n",
			map[string]string{"A": "1", "B": "1#one", "C": "", "D": "#x", "E": "1", "F": "1"}},
		"single quotes": {`A='x\n$B "y" #'`, map[string]string{"A": `x\n$B "y" #`}},
		"double quotes": {`A="x\ny\r\t\"\\\$\` + "`" + `\d\'"`,
			map[string]string{"A": "x\ny\r\t\"\\$`" + `\d\'`}},
		"backticks": {"A=`it's \"x\" \\n`", map[string]string{"A": `it's "x" \n`}},
		"several lines": {"A='1\n2 # no comment\n\n3'\nB=\"1\n2\"\nC=3",
			map[string]string{"A": "1\n2 # no comment\n\n3", "B": "1\n2", "C": "3"}},
		"quotes inside values": {"A=it's\nB=say \"hi\"\nC=a'b'c",
			map[string]string{"A": "it's", "B": `say "hi"`, "C": "a'b'c"}},
		"no substitution": {"A=$HOME/x\nB=\"${HOME}\"\nC=p$ss$$w`id`",
			map[string]string{"A": "$HOME/x", "B": "${HOME}", "C": "p$ss$$w`id`"}},
		"backslashes without quotes": {`A=C:\new\table`, map[string]string{"A": `C:\new\table`}},
		"equals signs in values": {"A=a=b==\nURL=postgres://u:p@h/db?x=1&y=2\n",
			map[string]string{"A": "a=b==", "URL": "postgres://u:p@h/db?x=1&y=2"}},
		"byte order mark": {"\ufeffA=1", map[string]string{"A": "1"}},
		"CR LF": {"A=1\r\n\r\n# c\r\nB='1\r\n2'\r\nC=\"x\"\r\nD='1\r\n2'",
			map[string]string{"A": "1", "B": "1\n2", "C": "x", "D": "1\n2"}},
		"CR in values":    {"A='1\r\n2\r'\nB='1\r\n2'", map[string]string{"A": "1\r\n2\r", "B": "1\r\n2"}},
		"last value wins": {"A=1\nB=2\nA=3", map[string]string{"A": "3", "B": "2"}},
		"names":           {"a.b-c=1\n_X9=2\n9=3", map[string]string{"a.b-c": "1", "_X9": "2", "9": "3"}},
		"unicode":         {"A=grüße 🔑\nB='日本'", map[string]string{"A": "grüße 🔑", "B": "日本"}},
		"JSON":            {`A={"x":"y # z"}`, map[string]string{"A": `{"x":"y`}},
		"empty quotes":    {"A=''\nB=\"\"", map[string]string{"A": "", "B": ""}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			value, err := ReadDotenv([]byte(test.text))
			require.NoError(t, err)
			assert.Equal(t, test.want, stringsOf(t, value))
		})
	}
}

func TestDotenvOrder(t *testing.T) {
	t.Parallel()
	value, err := ReadDotenv([]byte("B=1\nA=2\nB=3\n"))
	require.NoError(t, err)
	assert.JSONEq(t, `{"B":"3","A":"2"}`, string(value.JSON()))
	assert.Equal(t, []string{"B", "A"}, value.Names())
}

// TestDotenvErrors checks that errors contain the line number but no text from the line, because that text may be a
// password.
func TestDotenvErrors(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"A=1\nhunter2\n":            "line 2: expected NAME=value",
		"export hunter2":            "line 1: expected NAME=value",
		"A='1\n2\n3'\n\nhun ter2=x": "line 5: the name before '=' may contain only letters, digits, '_', '.' and '-'",
		"=hunter2":                  "line 1: the name before '=' may contain only letters, digits, '_', '.' and '-'",
		"pässword=hunter2":          "line 1: the name before '=' may contain only letters, digits, '_', '.' and '-'",
		"A=1\nB='hunter2\nC=3\n":    "line 2: the quote at the beginning of the value is never closed",
		"A=\"hunter2\\\"":           "line 1: the quote at the beginning of the value is never closed",
		"A='hunter2'hunter2": "line 1: unexpected text after the closing quote: put the whole value into " +
			"one pair of quotes",
		"A='x'#hunter2": "line 1: unexpected text after the closing quote: put the whole value into " +
			"one pair of quotes",
		"A='it'\\''s hunter2'": "line 1: unexpected text after the closing quote: put the whole value into " +
			"one pair of quotes",
		"A=1\nB=hunter2\x00":      "line 2: the value contains a NUL character, which a variable cannot hold",
		"A=hunter2\xff":           "line 1: the value is not UTF-8 text",
		"\xff\xfeA\x00=\x001\x00": "line 1: the name before '=' may contain only letters, digits, '_', '.' and '-'",
	} {
		_, err := ReadDotenv([]byte(text))
		if assert.Error(t, err, text) {
			assert.Equal(t, want, err.Error())
		}
	}
}

// TestWriteDotenv checks values without quotes, in single quotes and in double quotes.
func TestWriteDotenv(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.NoError(t, WriteDotenv(&out, []Variable{
		{"A", "plain-1.2/x:y@z%+,"}, {"B", ""}, {"C", "two words"}, {"D", "$HOME `id` \\n \"x\" #"},
		{"E", "it's $5 \"now\" \\ `id`"},
		{"F", "1\n2"}, {"G", " x "}, {"H", "a=b"}, {"I", "é"}, {"J", "~"},
	}))
	assert.Equal(t, "A=plain-1.2/x:y@z%+,\nB=\nC='two words'\nD='$HOME `id` \\n \"x\" #'\n"+
		"E=\"it's \\$5 \\\"now\\\" \\\\ \\`id\\`\"\nF='1\n2'\nG=' x '\nH='a=b'\nI='é'\nJ='~'\n", out.String())
}

// TestWriteNUL checks that a value with a NUL character causes an error that names the variable.
func TestWriteNUL(t *testing.T) {
	t.Parallel()
	for _, format := range []Format{Dotenv, Shell} {
		var out bytes.Buffer
		err := Write(&out, format, parsed(t, `{"ok":"1","bad":"hunter2\u0000"}`), Options{})
		assert.EqualError(t, err, "BAD contains a NUL character, which a variable cannot hold")
		assert.Empty(t, out.String(), "nothing is written")
	}
}

// FuzzDotenv reads variables from arbitrary text and writes them. It checks that ReadDotenv returns the same variables
// from the new text.
func FuzzDotenv(f *testing.F) {
	for _, each := range []string{"A=1\n", "export A='x\r\ny'\r\n# c", "A=\"\\n\\\"\" #", "\ufeffA=`b`", "A='",
		"A==\nA=#", "A='x\r\n'", "a.b=\"\\\r\n\""} {
		f.Add([]byte(each))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		value, err := ReadDotenv(text)
		if err != nil {
			return
		}
		again, err := Parse(value.JSON())
		if err != nil {
			t.Fatalf("the value is not valid JSON: %v", err)
		}
		variables, err := again.Variables(Naming{KeepCase: true})
		if err != nil {
			return // two names become the same variable
		}
		var out bytes.Buffer
		if err := WriteDotenv(&out, variables); err != nil {
			t.Fatal(err)
		}
		back, err := ReadDotenv(out.Bytes())
		if err != nil {
			t.Fatalf("the output cannot be read: %v", err)
		}
		for _, each := range variables {
			member, _ := back.Member(each.Name)
			if got, _ := member.String(); got != each.Value {
				t.Fatalf("%s: got %q, want %q", each.Name, got, each.Value)
			}
		}
	})
}

// FuzzDotenvValue writes an arbitrary value and checks that ReadDotenv returns the same value.
func FuzzDotenvValue(f *testing.F) {
	for _, each := range awkward {
		f.Add(each)
	}
	f.Fuzz(func(t *testing.T, value string) {
		var out bytes.Buffer
		err := WriteDotenv(&out, []Variable{{"A", value}, {"B", "b"}})
		if err != nil || !utf8.ValidString(value) {
			return
		}
		back, err := ReadDotenv(out.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]string{"A": value, "B": "b"} {
			member, _ := back.Member(name)
			if got, _ := member.String(); got != want {
				t.Fatalf("%s: got %q, want %q", name, got, want)
			}
		}
	})
}
