package bench

import (
	"bytes"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
	"github.com/stretchr/testify/require"
)

// tries is the number of wrong sign-ins per kind. The order of the sign-ins is random, so that other load on the
// machine affects all kinds equally.
const tries = 500

// kind is one kind of wrong sign-in. The field body is a function that returns a new request body for each sign-in.
type kind struct {
	name string
	body func() any
}

// BenchmarkWrongSignIns compares the durations of refused sign-ins. The duration must not reveal why the server refused
// the sign-in. The benchmark logs the median of each kind. For each type of request, it reports how much longer the
// slowest kind takes than the fastest, in percent.
func BenchmarkWrongSignIns(b *testing.B) {
	s := start(b, "KDF_MEMORY_KIB=19456", "KDF_TIME=2", "THROTTLE_FREE_ATTEMPTS=1000000")
	secrets := s.cast(b)
	code := func(name string) string {
		text, err := totp.GenerateCode(secrets[name], time.Now())
		require.NoError(b, err)
		return text
	}
	given := func(name, password string) kind {
		return kind{name, func() any { return map[string]string{"username": name, "password": password} }}
	}
	coded := func(label, name, password string, right bool) kind {
		return kind{label, func() any {
			body := map[string]string{"username": name, "password": password, "code": "000000"}
			if right {
				body["code"] = code(name)
			}
			return body
		}}
	}
	for b.Loop() {
		s.compare(b, "password", "/authenticate", http.StatusUnauthorized, []kind{
			given("ghost", "wrong-password"), given("..", "wrong-password"), given("known", "wrong-password"),
			given("inactive", "inactive-password"), given("coded", "wrong-password")})
		s.compare(b, "code", "/api/v1/user/auth", http.StatusBadRequest, []kind{
			coded("ghost", "ghost", "", false), coded("wrong-code", "coded", "", false),
			coded("inactive", "gone", "", true),
			coded("no-code", "known", "", false), coded("without-password", "both", "", true)})
		s.compare(b, "code+password", "/api/v1/user/auth", http.StatusBadRequest, []kind{
			coded("ghost", "ghost", "some-password", false), coded("wrong-code", "both", "both-password", false),
			coded("wrong-password", "both", "wrong-password", true), coded("no-code", "known", "known-password", false),
			coded("inactive", "gone", "some-password", true)})
	}
}

// cast creates a user for each kind of wrong sign-in. Some of these users have a TOTP secret. cast returns these
// secrets by username.
func (s *server) cast(b *testing.B) map[string]string {
	b.Helper()
	secrets := make(map[string]string)
	for _, name := range []string{"known", "inactive", "both"} {
		s.call(b, "POST", "/users", `{"username":"`+name+`","password":"`+name+`-password"}`)
	}
	for _, name := range []string{"coded", "gone"} {
		s.call(b, "POST", "/api/v1/user/add", `{"username":"`+name+`","group":"viewer"}`)
	}
	for _, name := range []string{"coded", "gone", "both"} {
		var made struct{ Secret string }
		require.NoError(b, json.Unmarshal(s.call(b, "GET", "/api/v1/user/auth/setup/"+name, ""), &made))
		secrets[name] = made.Secret
	}
	for _, name := range []string{"inactive", "gone"} {
		s.call(b, "PUT", "/users/"+name, `{"isActive":false}`)
	}
	return secrets
}

func (s *server) compare(b *testing.B, request, path string, status int, kinds []kind) {
	b.Helper()
	times := make([][]time.Duration, len(kinds))
	for range tries {
		for _, i := range rand.Perm(len(kinds)) { // a random order
			each := kinds[i]
			body, err := json.Marshal(each.body())
			require.NoError(b, err)
			begin := time.Now()
			response, err := s.client.Post(s.url+path, "application/json", bytes.NewReader(body))
			require.NoError(b, err)
			_, _ = io.Copy(io.Discard, response.Body)
			times[i] = append(times[i], time.Since(begin))
			require.NoError(b, response.Body.Close())
			require.Equal(b, status, response.StatusCode, each.name)
		}
	}
	medians := make([]time.Duration, len(kinds))
	for i, each := range kinds {
		slices.Sort(times[i])
		medians[i] = times[i][tries/2]
		b.Logf("%-14s %-16s median %8.3f ms", request, each.name, medians[i].Seconds()*1000)
	}
	b.ReportMetric(100*(slices.Max(medians).Seconds()/slices.Min(medians).Seconds()-1), request+"-%")
}
