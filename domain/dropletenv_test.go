package domain

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEnvNames(t *testing.T) {
	t.Parallel()
	for name, good := range map[string]bool{"A": true, "_": true, "DB_PASSWORD": true, "A1": true, "LD": true,
		"LDX_A": true, "XPATH": true, "PATHS": true,
		"": false, "1A": false, "a": false, "A-B": false, "A B": false, "A=B": false, "Ä": false, "A\x00": false,
		"PATH": false, "LD_PRELOAD": false, "LD_": false} {
		err := CheckEnvNames(map[string]string{name: "key"})
		require.Equal(t, good, err == nil, name)
	}
	many := map[string]string{}
	for i := range MaxEnvEntries {
		many[fmt.Sprintf("A%d", i)] = "key"
	}
	require.NoError(t, CheckEnvNames(many))
	many["ONE_MORE"] = "key"
	require.ErrorIs(t, CheckEnvNames(many), Invalid)
}

func TestEnvStrings(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{`"text"`: "text", ` "a\nb\t\u00fc" `: "a\nb\tü", `""`: "",
		`1.50`: "1.50", `true`: "true", `{ "b" : 1, "a":[ 1 ] }`: `{"b":1,"a":[1]}`,
		`[ "x" ]`: `["x"]`, `"{\"a\": 1}"`: `{"a": 1}`, `{"a":"b\u0000"}`: `{"a":"b\u0000"}`} {
		got, err := EnvString("NAME", []byte(value))
		require.NoError(t, err, value)
		require.Equal(t, "NAME="+want, string(got.Bytes()))
	}
	_, err := EnvString("NAME", []byte(`"secret\u0000secret"`))
	require.ErrorContains(t, err, "env.NAME contains a zero byte")
	require.NotContains(t, err.Error(), "secret")
	_, err = EnvString("NAME", []byte(` "\ud800"`))
	require.ErrorContains(t, err, "env.NAME contains half of a surrogate pair")
	kept, err := EnvString("NAME", []byte(`{"a":"\ud800"}`))
	require.NoError(t, err)
	require.Equal(t, `NAME={"a":"\ud800"}`, string(kept.Bytes()))
	_, err = EnvString("NAME", []byte(`"`+strings.Repeat("x", 128<<10-6)+`"`))
	require.NoError(t, err, "with the name, the sign and the zero byte it is just 128 KiB")
	_, err = EnvString("NAME", []byte(`"`+strings.Repeat("x", 128<<10-5)+`"`))
	require.ErrorContains(t, err, "env.NAME is too long")
	_, err = EnvString("NAME", []byte(`secret`))
	require.ErrorIs(t, err, Invalid)
	require.NotContains(t, err.Error(), "secret")
}

func TestEnvSize(t *testing.T) {
	t.Parallel()
	quarter := NewSecret("A=" + strings.Repeat("x", 128<<10-3))
	require.NoError(t, CheckEnvSize([]Secret{quarter, quarter, quarter, quarter}))
	require.ErrorIs(t, CheckEnvSize([]Secret{quarter, quarter, quarter, quarter, NewSecret("A=")}), Invalid)
}

func TestReasonsRepeatNoValues(t *testing.T) {
	t.Parallel()
	env := []Secret{NewSecret("A=hunter22"), NewSecret("B=-----BEGIN\nline two \"quoted\"\n-----END"), NewSecret("C=x"),
		NewSecret("D=ünter\tx"), NewSecret("E=")}
	for reason, shown := range map[string]bool{
		"No such image: x":                               true,
		"Bind for 0.0.0.0:2201 failed":                   true,
		"bad value hunter22":                             false,
		"bad value xhunter22x":                           false,
		`bad "line two \"quoted\""`:                      false,
		`bad line two "quoted"`:                          false,
		"bad -----END":                                   false,
		"C=x is bad":                                     false,
		`{"Env":["D=ünter\tx"]}`:                         false,
		"bad \u00fcnter\tx":                              false,
		"Error response from daemon: hunter2 and others": true,
	} {
		got := WithoutValues(HostRefused(reason), env).Message
		require.Equal(t, shown, got == reason, reason)
		if !shown {
			require.Contains(t, got, "withheld")
		}
	}
	require.Equal(t, "anything", WithoutValues(HostRefused("anything"), nil).Message)
}
