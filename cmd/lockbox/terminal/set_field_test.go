package terminal

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

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
