package e2e

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
)

// These canaries are secrets that must appear in no output. Each canary without spaces is also a valid name.
const (
	canaryValue      = "cnryValueWq7Zt2"
	canaryOldValue   = "cnryOldValueHd5Kx8"
	canaryPassphrase = "cnry passphrase Vb3Nm1"
	canaryPassword   = "cnryPasswordLp9Xs4"
	canaryOther      = "cnryOtherGf6Rk0"
	canaryInitToken  = "cnryInitTokenYc8Jd5"
	canaryStray      = "cnryStrayTb2Qw9"
)

var canaryKey = domain.FormatGeneratedKey([32]byte([]byte("cnryKeyBytes-0123456789-abcdefgh")))

// flock collects the secrets that a test sends and the error responses that the test receives.
type flock struct {
	t      *testing.T
	server *server
	// secrets by kind.
	secrets map[string]string
	bodies  bytes.Buffer // bodies of error answers
}

// send sends a request. If the response is an error, send appends the body and the header of the response to f.bodies.
func (f *flock) send(who client, method, path string, body any, headers ...string) *answer {
	f.t.Helper()
	got := who.do(method, path, body, headers...)
	if got.Status >= 400 {
		fmt.Fprintf(&f.bodies, "%s %v\n", got.Body, got.Header)
	}
	require.Less(f.t, got.Status, 500, "%s: %s", got.request, got.Body)
	return got
}

// TestCanaries sends secrets in valid and invalid requests and then searches every output and the database for these
// secrets.
func TestCanaries(t *testing.T) {
	t.Parallel()
	spans := startCollector(t)
	f := &flock{t: t, server: start(t, "INIT_TOKEN="+canaryInitToken, "LOG_LEVEL=debug", "TRACES_URL="+spans.url,
		"TRACES_RATIO=1"), secrets: map[string]string{
		"value": canaryValue, "old value": canaryOldValue, "passphrase": canaryPassphrase, "password": canaryPassword,
		"other password": canaryOther, "init token": canaryInitToken, "stray": canaryStray, "key": canaryKey,
		"bytes of the key": "cnryKeyBytes-0123456789-abcdefgh"}}
	root := f.live()
	f.failAtBodies(root)
	f.failAtPlaces(root)
	f.failAtSockets(root)

	metrics := f.server.as("").do("GET", "/metrics", nil).expect(200)
	require.Contains(t, f.server.log.String(), "/api-keys/:apiKey", "the log is the one that is searched")
	require.Contains(t, tables(t, f.server.db), "api-key.delete")
	f.search("the log", f.server.log.String())
	f.search("the answers of errors", f.bodies.String())
	f.search("the metrics", string(metrics.Body))
	f.search("the tables", tables(t, f.server.db))
	f.search("the dump", dump(t, f.server.db))
	f.server.stop() // sends the last spans
	f.search("the traces", spans.raw.String())
	spans.requireOnlyKnown()
}

// live runs requests that succeed.
func (f *flock) live() client {
	anonymous := f.server.as("")
	credentials := func(name, password string) string {
		return `{"username":"` + name + `","password":"` + password + `"}`
	}
	f.send(anonymous, "POST", "/init", credentials("root", canaryPassword)).expect(401)
	f.send(anonymous, "POST", "/init", credentials("root", canaryPassword), "X-Init-Token", canaryStray).expect(401)
	root := f.server.as(f.send(anonymous, "POST", "/init", credentials("root", canaryPassword), "X-Init-Token",
		canaryInitToken).
		expect(200).string("apiKey"))
	f.keep("owner's key", root.token)
	f.keep("session", f.send(anonymous, "POST", "/authenticate",
		credentials("root", canaryPassword)).expect(200).string("token"))
	spare := f.send(root, "POST", "/api-keys", `{"expiry":"1.00:00:00","name":"spare"}`).expect(200).string("apiKey")
	f.keep("spare key", spare)
	f.keep("user's key", f.send(root, "POST", "/users",
		credentials("user1", canaryOther)).expect(201).Header.Get("X-API-Key"))
	f.send(root, "PUT", "/users/user1", `{"password":"`+canaryStray+`"}`).expect(204)
	f.liveWithInvitations(root)
	f.send(root, "POST", "/boxes/default", nil).expect(201)
	for _, key := range []string{canaryKey, canaryPassphrase,
		"b64:" + base64.StdEncoding.EncodeToString([]byte(canaryPassphrase))} {
		for _, value := range []string{canaryOldValue, canaryValue} {
			f.send(root, "POST", "/boxes/default/entries", `{"key":"entry","value":{"`+value+`":"`+value+`"}}`,
				"X-Encryption-Key", key).expect(201)
		}
		f.send(root, "GET", "/boxes/default/entries/entry", nil, "X-Encryption-Key", key).expect(200)
	}
	f.send(root, "POST", "/boxes/default/entries/entry/restore", `{"version":1}`).expect(201)
	f.send(root, "DELETE", "/boxes/default/entries/entry", nil).expect(204)
	f.send(root, "POST", "/boxes/default/entries/entry/restore", `{"version":6}`).expect(201)
	f.send(root, "DELETE", "/api-keys/"+spare, nil).expect(204)
	f.send(root, "DELETE", "/api-keys/"+spare, nil).expect(404)
	f.send(f.server.as(spare), "GET", "/whoami", nil).expect(401)
	f.liveWithKeyrings(root)
	f.liveWithCodes(root)
	return root
}

// liveWithInvitations accepts an invitation twice. It also makes a second invitation, revokes it, and then tries to
// accept it.
func (f *flock) liveWithInvitations(root client) {
	anonymous := f.server.as("")
	invite := func(name string) string {
		code := f.send(root, "POST", "/invitations", `{"username":"`+name+`"}`).expect(201).string("code")
		raw, err := base64.RawURLEncoding.DecodeString(code)
		require.NoError(f.t, err)
		f.secrets["invitation code of "+name] = code
		f.secrets["bytes of the invitation of "+name] = string(raw[16:]) // the first 16 are the id
		return code
	}
	accept := func(code, password string) *answer {
		return f.send(anonymous, "POST", "/invitations/accept", `{"code":"`+code+`","password":"`+password+`"}`)
	}
	code := invite("guest")
	accept(code, "").expect(400)
	accept(code, canaryOther[:5]).expect(400)
	accept(code, canaryOther).expect(201)
	accept(code, canaryOther).expect(401)
	revoked := invite("unwanted")
	f.send(root, "DELETE", "/invitations/unwanted", nil).expect(204)
	accept(revoked, canaryOther).expect(401)
	accept(canaryStray, canaryOther).expect(401)
	left := invite("left")
	f.send(root, "DELETE", "/invitations/"+left, nil).expect(404)
	f.send(anonymous, "POST", "/authenticate", `{"username":"`+left+`","password":"`+left+`"}`).expect(401)
}

// liveWithKeyrings locks an identity and uses a box with a keyring. The box key, the seed and the locked identity are
// secrets. The function also sends the seed in places where a seed does not belong.
func (f *flock) liveWithKeyrings(root client) {
	f.send(root, "POST", "/users", `{"username":"keyholder","password":"keyholder-password"}`).expect(201)
	anna := f.server.holder("keyholder")
	seed := domain.IdentitySeedPrefix + "cnrySeed-0123456789-abcdefghijklmnopqrstuv"
	f.secrets["seed"] = seed
	f.secrets["locked identity"] = "cnryLocked-0123456789-abcdefgh"
	locked := base64.RawURLEncoding.EncodeToString([]byte(f.secrets["locked identity"]))
	f.send(anna.client, "PUT", "/users/keyholder/identity/locked", `{"locked":"`+locked+`"}`).expect(204)
	f.send(anna.client, "GET", "/users/keyholder/identity/locked", nil).expect(200)
	f.send(anna.client, "PUT", "/users/keyholder/identity/locked", `{"locked":"`+seed+`*"}`).expect(400)
	f.send(anna.client, "PUT", "/users/keyholder/identity", `{"public":"`+seed+`"}`).expect(400)
	f.send(f.server.as(seed), "GET", "/whoami", nil).expect(401)
	f.send(anna.client, "GET", "/identities/"+seed, nil).expect(404)
	anna.box("shared")
	plan := anna.plan("shared")
	f.secrets["box key"], f.secrets["bytes of the box key"] = keyText(plan), string(plan.Key[:])
	tag := anna.first("shared", plan).expect(201).tag()
	anna.putUnder(plan, "shared", "entry", `"`+canaryValue+`"`).expect(201)
	next := anna.rekeyed(plan)
	f.secrets["next box key"], f.secrets["bytes of the next box key"] = keyText(next), string(next.Key[:])
	anna.replace("shared", next, tag).expect(200)
	f.send(anna.client, "POST", "/boxes/shared/entries", `{"key":"entry","value":"`+canaryValue+`"}`,
		"X-Encryption-Key", keyText(plan)).expect(409)
	f.send(anna.client, "GET", "/boxes/shared/entries/entry", nil, "X-Encryption-Key", keyText(next)).expect(403)
}

// liveWithCodes signs in with right and wrong TOTP codes, and enrols a TOTP secret.
func (f *flock) liveWithCodes(root client) {
	anonymous := f.server.as("")
	secret := root.member("coded", "viewer")
	f.keep("code secret", secret)
	pair := f.server.signInWithCode("coded", secret)
	f.keep("access token", pair.Access)
	f.keep("refresh token", pair.Refresh)
	f.send(f.server.as(pair.Access), "GET", "/api/v1/user/list", nil).expect(403)
	f.send(anonymous, "GET", "/api/v1/user/list", map[string]string{"access_token": pair.Access}).expect(403)
	next := read[tokenPair](f.send(anonymous, "POST", "/api/v1/user/auth/refresh",
		refreshBody(pair.Refresh)).expect(200))
	f.keep("next access token", next.Access)
	f.send(anonymous, "POST", "/api/v1/user/auth/refresh", refreshBody(pair.Refresh)).expect(401)
	f.send(f.server.as(next.Access), "GET", "/whoami", nil).expect(401)
	made := root.enrolWith("root", canaryPassword)
	f.keep("own code secret", made.Secret)
	for _, code := range []string{made.RecoveryCodes[0], made.RecoveryCodes[0], canaryStray} {
		f.send(anonymous, "POST", "/authenticate", passwordAndCode("root", canaryPassword, code))
		f.send(anonymous, "POST", "/api/v1/user/auth", passwordAndCode("root", canaryPassword, code)).expect(400)
	}
	for i, code := range made.RecoveryCodes {
		f.keep(fmt.Sprint("recovery code ", i), code)
	}
	f.send(root, "DELETE", "/users/root/totp", `{"code":"`+canaryStray+`"}`).expect(403)
	f.send(root, "DELETE", "/users/root/totp", `{"code":"`+made.RecoveryCodes[1]+`"}`).expect(204)
}

// keep adds a token to f.secrets. It also adds the signature of the token, because no output may contain the signature
// alone either.
func (f *flock) keep(what, token string) {
	f.t.Helper()
	require.NotEmpty(f.t, token)
	f.secrets[what] = token
	f.secrets[what+"'s signature"] = token[strings.LastIndex(token, ".")+1:]
}

// failAtBodies sends invalid bodies of every known kind.
func (f *flock) failAtBodies(root client) {
	bodies := []string{`{"username":"` + canaryStray, `{"username":` + canaryStray + `}`, `"` + canaryStray + `"`,
		`["` + canaryStray + `"]`,
		canaryStray, `{"` + canaryStray + `":1}`,
		`{"username":["` + canaryStray + `"],"password":{"` + canaryStray + `":1}}`,
		`{"username":"` + canaryPassword + `!","password":"` + canaryPassword + `"}`,
		`{"username":"user1","password":"` + canaryStray + `","role":"` + canaryStray + `"}`,
		`{"username":"user1","password":{"` + canaryStray + `":"` + canaryStray + `"}}`,
		`{"expiry":"` + canaryStray + `"}`, `{"expiry":["` + canaryStray + `"]}`,
		`{"role":"` + canaryStray + `"}`, `{"owner":"` + canaryStray + `"}`, `{"isActive":"` + canaryStray + `"}`,
		`{"version":"` + canaryStray + `"}`,
		`{"currentPassword":"` + canaryStray + `","password":"` + canaryOther + `"}`,
		`{"key":"!` + canaryStray + `","value":"` + canaryValue + `"}`,
		`{"key":"entry","value":"` + canaryValue + `"}` + canaryValue,
		`{"key":"entry","value":{"` + canaryValue + `"}}`,
		`{"key":["` + canaryValue + `"],"value":"` + canaryValue + `"}`}
	for _, route := range []string{"POST /init", "POST /authenticate", "POST /api-keys", "PUT /users/root",
		"PUT /users/user1", "PUT /boxes/default",
		"POST /boxes/default/users", "PUT /boxes/default/users/root", "PUT /boxes/default/users/user1/permissions",
		"POST /boxes/default/entries", "POST /boxes/default/entries/entry/restore", "POST /users/user1/totp",
		"POST /users/root/totp/confirm", "POST /invitations", "POST /invitations/accept",
		"POST /api/v1/user/auth", "POST /api/v1/user/auth/refresh", "POST /api/v1/user/add"} {
		method, path, _ := strings.Cut(route, " ")
		for _, body := range bodies {
			if path == "/api-keys" && !strings.Contains(body, "expiry") {
				continue // this request would create an API key
			}
			f.send(root, method, path, body, "X-Encryption-Key", canaryKey)
			f.send(root, method, path, body, "X-Encryption-Key", canaryKey, "Content-Type", "text/"+canaryStray)
			f.send(f.server.as(""), method, path, body, "X-Encryption-Key", canaryKey)
		}
	}
	// Send the password as the username, and another secret as the password.
	f.send(root, "POST", "/authenticate", `{"username":"`+canaryPassword+`","password":"root"}`).expect(401)
	f.send(root, "POST", "/authenticate", `{"username":"root","password":"`+canaryStray+`"}`).expect(401)
	f.send(root, "POST", "/users", `{"username":"`+canaryPassword+`!","password":"user2"}`).expect(400)
	f.send(root, "POST", "/boxes/default/users", `{"username":"`+canaryPassword+`"}`).expect(404)
	f.send(root, "PUT", "/users/root", `{"password":"`+canaryOther+`","currentPassword":"`+canaryStray+`"}`).expect(403)
	large := `{"key":"entry","value":"` + strings.Repeat(canaryValue, 40000) + `"}`
	f.send(root, "POST", "/boxes/default/entries", large, "X-Encryption-Key", canaryKey).expect(413)
	f.send(root, "POST", "/boxes/default/entries", large+large, "X-Encryption-Key", canaryKey).expect(413)
}

// failAtPlaces puts secrets into paths, queries and headers.
func (f *flock) failAtPlaces(root client) {
	session := f.secrets["session"]
	for _, secret := range []string{canaryStray, canaryKey, session, "%ZZ" + canaryStray} {
		for _, path := range []string{"/%s", "/boxes/%s", "/boxes/%s/entries/entry", "/boxes/%s/audit", "/users/%s",
			"/api-keys/%s", "/boxes/default/users/%s",
			"/boxes/default/users/%s/permissions", "/boxes/default/entries/%s/versions", "/boxes/default/%s",
			"/boxes/default/entries/entry/%s"} {
			escaped := strings.ReplaceAll(secret, "%ZZ", "%25ZZ")
			f.send(root, "GET", fmt.Sprintf(path, escaped), nil)
			f.send(root, "DELETE", fmt.Sprintf(path, escaped), nil)
			f.send(root, "PATCH", fmt.Sprintf(path, escaped), nil)
		}
		for _, query := range []string{"/boxes/default/entries?prefix=%s!", "/boxes/default/entries?prefix=%s/",
			"/boxes/default/entries/entry?version=%s",
			"/audit?limit=%s", "/audit?before=%s", "/audit?action=%s", "/audit?user=%s",
			"/whoami?token=%[1]s&access_token=%[1]s&key=%[1]s"} {
			f.send(root, "GET", fmt.Sprintf(query, secret), nil, "X-Encryption-Key", canaryKey)
		}
		for _, header := range []string{"X-Encryption-Key", "X-Init-Token", "If-Match", "If-None-Match", "Content-Type",
			"Accept", "Origin", "Referer",
			"Cookie", "User-Agent", "X-Forwarded-For", "X-Real-Ip", "Forwarded", "X-Api-Key", "Authorization"} {
			for _, value := range []string{secret, "Bearer " + secret + "x", "Basic " + secret, "lbk1_" + secret} {
				f.send(root, "POST", "/boxes/default/entries", `{"key":"entry","value":1}`, "X-Encryption-Key",
					canaryKey, header, value)
				f.send(root, "GET", "/boxes/default/entries/entry", nil, header, value)
			}
		}
		// The server does not accept this value as a request id.
		f.send(root, "GET", "/whoami", nil, "X-Request-Id", secret+" !")
		f.send(root, "GET", "/boxes/default/entries/entry", nil, "X-Encryption-Key", otherKey)
	}
}

// failAtSockets sends malformed HTTP over raw connections.
func (f *flock) failAtSockets(root client) {
	address := strings.TrimPrefix(f.server.url, "http://")
	for _, request := range []string{
		canaryStray + " / HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /" + canaryStray + "\r\n\r\n",
		"GET /%" + canaryStray + " HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: " + canaryStray + "\x00\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\n" + canaryStray + "\r\n\r\n",
		"GET /whoami HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + root.token + "\r\nAuthorization: Bearer " +
			root.token + "\r\n\r\n",
		"GET /boxes/default/entries/entry HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + root.token +
			"\r\nX-Encryption-Key: " + canaryKey + "\r\nX-Encryption-Key: " + canaryPassphrase + "\r\n\r\n",
		"POST /authenticate HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n{\"username\":\"" + canaryStray,
		"POST /authenticate HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + canaryStray + "\r\n",
	} {
		conn, err := net.Dial("tcp", address)
		require.NoError(f.t, err)
		_, err = io.WriteString(conn, request)
		require.NoError(f.t, err)
		require.NoError(f.t, conn.(*net.TCPConn).CloseWrite())
		require.NoError(f.t, conn.SetReadDeadline(time.Now().Add(10*time.Second)))
		_, _ = io.Copy(&f.bodies, conn) // a reset counts as an answer
		require.NoError(f.t, conn.Close())
	}
	request, err := http.NewRequestWithContext(context.Background(), strings.ToUpper(canaryStray),
		f.server.url+"/whoami", http.NoBody)
	require.NoError(f.t, err)
	response, err := httpClient.Do(request)
	require.NoError(f.t, err)
	_, _ = io.Copy(&f.bodies, response.Body)
	require.NoError(f.t, response.Body.Close())
}

// search fails the test for every secret that the text contains as plain text, hexadecimal or base64.
func (f *flock) search(where, text string) {
	f.t.Helper()
	require.NotEmpty(f.t, text, where)
	lower := strings.ToLower(text)
	for what, secret := range f.secrets {
		if strings.Contains(lower, strings.ToLower(secret)) || strings.Contains(lower, fmt.Sprintf("%x", secret)) {
			f.t.Errorf("%s holds the %s", where, what)
		}
		for _, form := range base64Forms(secret) {
			if strings.Contains(text, form) {
				f.t.Errorf("%s holds the %s in base64", where, what)
			}
		}
	}
}

// base64Forms returns the strings by which text can be found in the base64 encoding of a longer text. There are six,
// because base64 has two alphabets and text can begin at three offsets within a group of three bytes.
func base64Forms(text string) (forms []string) {
	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for shift, skip := range []int{0, 2, 3} {
			encoded := encoding.EncodeToString(append(make([]byte, shift), text...))
			whole := (shift + len(text)) / 3 * 4
			forms = append(forms, encoded[skip:whole])
		}
	}
	return forms
}

// tables returns all rows of all tables, with bytes in hexadecimal.
func tables(t *testing.T, database string) string {
	t.Helper()
	var all bytes.Buffer
	withConn(t, database, func(ctx context.Context, conn *pgx.Conn) {
		rows, err := conn.Query(ctx,
			`SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE `+
				`TABLE'`)
		require.NoError(t, err)
		names, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err)
		require.Contains(t, names, "entry_versions")
		for _, name := range names {
			_, err := conn.PgConn().CopyTo(ctx, &all, `COPY `+pgx.Identifier{name}.Sanitize()+` TO STDOUT`)
			require.NoError(t, err)
		}
	})
	return all.String()
}

// dump returns the output of pg_dump, or the rows of all tables if pg_dump is missing. pg_dump may be missing if the
// test server runs on another machine.
func dump(t *testing.T, database string) string {
	t.Helper()
	program, err := exec.LookPath("pg_dump")
	if installed, _ := filepath.Glob("/usr/lib/postgresql/*/bin/pg_dump"); err != nil && len(installed) > 0 {
		program, err = installed[len(installed)-1], nil
	}
	if err != nil {
		return tables(t, database)
	}
	out, err := exec.CommandContext(t.Context(), program, "--data-only", "--dbname="+database).Output()
	require.NoError(t, err)
	require.Contains(t, string(out), "entry_versions")
	return string(out)
}

func TestBase64Forms(t *testing.T) {
	t.Parallel()
	for _, before := range []string{"", "a", "ab", "abc"} {
		found := false
		for _, form := range base64Forms(canaryPassphrase) {
			found = found || strings.Contains(base64.StdEncoding.EncodeToString([]byte(before+canaryPassphrase+
				"after")), form)
		}
		require.True(t, found, before)
	}
}
