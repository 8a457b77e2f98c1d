package e2e

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/tests/pgtest"
)

// withBox starts a server and returns a client of the system's owner, who has a box named default.
func withBox(t testing.TB, settings ...string) client {
	t.Helper()
	root := start(t, settings...).initialize()
	root.box("default")
	return root
}

// TestEntryKeys covers valid and invalid keys, and their encoding in paths and in Location.
func TestEntryKeys(t *testing.T) {
	t.Parallel()
	root := withBox(t)
	for sent, location := range map[string]string{
		"my-entry": "my-entry", "A": "a", "0": "0", "_": "_", "_.@-": "_.@-",
		"team/db/password": "team%2Fdb%2Fpassword", "Team:DB": "team:db", "a/b:c/d": "a%2Fb:c%2Fd",
		"me@example.org": "me@example.org", "a..b--c@@d__e": "a..b--c@@d__e", "a.": "a.", "a-/b@": "a-%2Fb@",
		strings.Repeat("k", 200): strings.Repeat("k", 200),
		"api-keys":               "api-keys", "x/versions": "x%2Fversions",
	} {
		t.Run(location[:min(len(location), 30)], func(t *testing.T) {
			t.Parallel()
			c := root.in(t)
			c.put("DEFAULT", sent, `"`+location+`"`).expect(201).isEmpty("").at("/boxes/default/entries/" + location)
			at := c.do("GET", "/boxes/default/entries/"+location, nil, "X-Encryption-Key", generatedKey).expect(200)
			at.is(`"` + location + `"`)
			for _, spelling := range []string{url.PathEscape(sent), url.PathEscape(strings.ToUpper(sent)),
				strings.ReplaceAll(location, "%2F", "%2f"), "%" + hexDigits(sent[0]) + url.PathEscape(sent[1:])} {
				c.get("default", spelling).expect(200).is(`"` + location + `"`)
			}
		})
	}
}

func hexDigits(c byte) string {
	return string("0123456789ABCDEF"[c>>4]) + string("0123456789ABCDEF"[c&15])
}

func TestBadEntryKeys(t *testing.T) {
	t.Parallel()
	root := withBox(t)
	root.put("default", "team/db", `1`).expect(201)
	for _, key := range []string{"/a", "a/", "a//b", "a/:b", ":a", "a:", "-a", ".a", "@a", "a/-b", "a/.b", "..",
		"../default", "a b", " a", "a\\b", "a%2Fb", "ä", "a\x00", "a\n", "🙂",
		"a?b", "a#b", "a*", strings.Repeat("k", 201)} {
		t.Run(key[:min(len(key), 20)], func(t *testing.T) {
			t.Parallel()
			c := root.in(t)
			c.do("POST", "/boxes/default/entries", map[string]any{"key": key, "value": 1}, "X-Encryption-Key",
				generatedKey).refuses(400, "invalid_key").about("key")
			c.get("default", url.PathEscape(key)).refuses(404, "entry_not_found")
		})
	}
	for _, body := range []string{`{"value":1}`, `{"key":"","value":1}`, `{"key":null,"value":1}`} {
		root.do("POST", "/boxes/default/entries", body, "X-Encryption-Key", generatedKey).refuses(400,
			"key_required").about("key")
	}
	for _, path := range []string{"team%252Fdb", "%252F", "..", "%2e%2e", "%00", "team%2Fdb%00", "%ff", "team%2Fd%ff",
		"team%5Cdb", "%20", "team%2Fdb%20", "team%2F", "+",
		"%EF%BC%8F", strings.Repeat("k", 201), strings.Repeat("k", 8000)} {
		t.Run("path "+path[:min(len(path), 20)], func(t *testing.T) {
			t.Parallel()
			c := root.in(t)
			c.get("default", path).refuses(404, "entry_not_found")
			c.do("DELETE", "/boxes/default/entries/"+path, nil).refuses(404, "entry_not_found")
			c.do("GET", "/boxes/default/entries/"+path+"/versions", nil).refuses(404, "entry_not_found")
			c.do("POST", "/boxes/default/entries/"+path+"/restore", `{"version":1}`).refuses(404, "entry_not_found")
		})
	}
}

// TestValues verifies that any JSON value except null is returned byte for byte.
func TestValues(t *testing.T) {
	t.Parallel()
	root := withBox(t)
	for name, value := range map[string]string{
		"string":                   `"secret"`,
		"empty-string":             `""`,
		"escapes":                  `"\u0041\n\"\\\/ \ud83d\ude42 \u0000"`,
		"lone-surrogate":           `"\ud800"`,
		"utf-8":                    `"żółć 🙂 ` + "\u2028" + `"`,
		"markup":                   `"<script>&amp;</script>"`,
		"the-word-null":            `"null"`,
		"number":                   `42`,
		"zero":                     `0`,
		"minus-zero":               `-0`,
		"fraction":                 `0.10`,
		"exponent":                 `1E+2`,
		"beyond-2-53":              `9007199254740993`,
		"beyond-2-64":              `123456789012345678901234567890.123456789012345678901234567890`,
		"beyond-a-double":          `1e999999`,
		"true":                     `true`,
		"false":                    `false`,
		"list":                     `[1, "two", null, {"three":[]}]`,
		"empty-list":               `[]`,
		"empty-object":             `{}`,
		"object":                   `{"email":"my@email.com","password":"secret"}`,
		"order-of-keys":            `{"z":1,"a":2,"m":{"b":1,"a":2},"10":0,"9":0}`,
		"keys-in-two-letter-cases": `{"A":1,"a":2}`,
		"a-key-twice":              `{"a":1,"a":2}`,
		"null-inside":              `{"a":null}`,
		"space-inside":             "{ \"a\" :\t[ 1 ,\r\n 2 ] }",
		"nested-1000-deep":         strings.Repeat("[", 1000) + strings.Repeat("]", 1000),
		"objects-1000-deep":        strings.Repeat(`{"a":`, 1000) + "1" + strings.Repeat("}", 1000),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := root.in(t)
			c.put("default", name, value).expect(201)
			got := c.get("default", name).expect(200)
			got.is(value)
			require.Equal(t, "no-store", got.Header.Get("Cache-Control"))
		})
	}
	root.do("POST", "/boxes/default/entries", "{ \"VALUE\" : \n [1]\t, \"Key\":\"spelling\" }", "X-Encryption-Key",
		generatedKey).expect(201)
	root.get("default", "spelling").is(`[1]`)
}

func TestBadValues(t *testing.T) {
	t.Parallel()
	root := withBox(t)
	root.put("default", "key", `"kept"`).expect(201)
	for name, test := range map[string]struct{ body, code string }{
		"null":          {`{"key":"key","value":null}`, "value_required"},
		"absent":        {`{"key":"key"}`, "value_required"},
		"spaced null":   {`{"key":"key","value": null }`, "value_required"},
		"not JSON":      {`{"key":"key","value":undefined}`, "malformed_json"},
		"not UTF-8":     {"{\"key\":\"key\",\"value\":\"\xff\"}", "malformed_json"},
		"single quotes": {`{"key":"key","value":'x'}`, "malformed_json"},
		"cut off":       {`{"key":"key","value":"x`, "malformed_json"},
		"200,000 deep": {`{"key":"key","value":` + strings.Repeat("[", 200_000) + strings.Repeat("]", 200_000) +
			`}`, "malformed_json"},
		"200,000 deep, open":  {`{"key":"key","value":` + strings.Repeat("[", 200_000), "malformed_json"},
		"200,000 objects":     {`{"key":"key","value":` + strings.Repeat(`{"":`, 200_000), "malformed_json"},
		"control in a string": {"{\"key\":\"key\",\"value\":\"a\nb\"}", "malformed_json"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root.in(t).do("POST", "/boxes/default/entries", test.body, "X-Encryption-Key", generatedKey).refuses(400,
				test.code)
			root.in(t).get("default", "key").is(`"kept"`)
		})
	}
}

func TestValueSize(t *testing.T) {
	t.Parallel()
	const most = 512 << 10
	root := withBox(t)
	text := func(size int) string { return `"` + strings.Repeat("x", size-2) + `"` }
	root.put("default", "full", text(most)).expect(201)
	require.Equal(t, text(most), string(root.get("default", "full").expect(200).Body))
	root.put("default", "full", text(most+1)).refuses(413, "value_too_large").about("value")
	root.put("default", "umlauts", `"`+strings.Repeat("ü", most/2-1)+`"`).expect(201)
	root.put("default", "umlauts", `"`+strings.Repeat("ü", most/2)+`"`).refuses(413, "value_too_large")
	root.put("default", "full", text(1<<20)).refuses(413, "body_too_large")
	require.Equal(t, `"1"`, root.get("default", "full").expect(200).Header.Get("ETag"))
}

func TestValueSizeSettings(t *testing.T) {
	t.Parallel()
	small := withBox(t, "MAX_VALUE_BYTES=10")
	small.put("default", "key", `"12345678"`).expect(201)
	small.put("default", "key", `"123456789"`).refuses(413, "value_too_large")
	small.put("default", "key", `[    1    ]`).refuses(413, "value_too_large")
	none := withBox(t, "MAX_VALUE_BYTES=0")
	none.put("default", "key", `"`+strings.Repeat("x", 600<<10)+`"`).expect(201)
}

func TestEntriesPerBox(t *testing.T) {
	t.Parallel()
	root := withBox(t, "MAX_ENTRIES_PER_BOX=2")
	root.put("default", "one", `1`).expect(201)
	root.put("default", "two", `1`).expect(201)
	root.put("default", "three", `1`).refuses(409, "limit_reached")
	root.put("default", "one", `2`).expect(201)
	root.do("DELETE", "/boxes/default/entries/one", nil).expect(204)
	root.put("default", "three", `1`).refuses(409, "limit_reached") // the versions of the deleted entry "one" are kept
	root.put("default", "one", `3`).expect(201)
	root.do("DELETE", "/boxes/default/entries/one", nil).expect(204)
	root.do("POST", "/boxes/default/entries/one/restore", `{"version":1}`).expect(201)
	root.do("GET", "/boxes/default/entries", nil).is(`["one","two"]`)
	root.box("other")
	root.put("other", "one", `1`).expect(201)
}

// TestBytesPerBox verifies that all versions of all entries together do not exceed MAX_BYTES_PER_BOX. Versions of
// deleted entries count.
func TestBytesPerBox(t *testing.T) {
	t.Parallel()
	root := withBox(t, "MAX_BYTES_PER_BOX=100000", "ENTRY_VERSIONS=3")
	value := `"` + strings.Repeat("x", 10000) + `"`
	for range 10 {
		root.put("default", "one", value).expect(201) // three versions are kept
	}
	root.put("default", "two", value).expect(201)
	root.do("DELETE", "/boxes/default/entries/two", nil).expect(204)
	root.put("default", "three", value).expect(201)
	root.put("default", "four", value).refuses(409, "limit_reached")
	root.put("default", "one", value).expect(201)
	root.put("default", "four", `1`).expect(201)
	root.box("other")
	root.put("other", "one", value).expect(201)
	require.LessOrEqual(t, pgtest.Number(t, root.server.db, `SELECT sum(octet_length(value) + 256)
		FROM entry_versions v JOIN boxes b ON b.id = v.box_id WHERE b.name = 'default'`), 100000)
}

// TestEncryptionKeys covers valid and invalid values of X-Encryption-Key.
func TestEncryptionKeys(t *testing.T) {
	t.Parallel()
	root := withBox(t)
	base64Of := func(text string) string { return "b64:" + base64.StdEncoding.EncodeToString([]byte(text)) }
	for name, test := range map[string]struct{ write, read string }{
		"generated":           {generatedKey, generatedKey},
		"passphrase":          {"correct horse", "correct horse"},
		"one-letter":          {"x", "x"},
		"utf-8":               {"zażółć", "zażółć"},
		"space-around":        {"  spaced ", "spaced"}, // HTTP strips it
		"base64":              {base64Of("\x00\xff\n"), base64Of("\x00\xff\n")},
		"base64-and-plain":    {base64Of("plain"), "plain"},
		"like-a-prefix":       {"lbk1", "lbk1"},
		"like-another-scheme": {"b64", "b64"},
		"1024-bytes":          {strings.Repeat("x", 1024), strings.Repeat("x", 1024)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := root.in(t)
			c.put("default", name, `"x"`, "X-Encryption-Key", test.write).expect(201)
			c.get("default", name, "X-Encryption-Key", test.read).expect(200).is(`"x"`)
			for _, wrong := range []string{otherKey, "wrong", base64Of("wrong")} {
				c.get("default", name, "X-Encryption-Key", wrong).refuses(403, "encryption_key_mismatch")
			}
		})
	}
}

func TestBadEncryptionKeys(t *testing.T) {
	t.Parallel()
	root := withBox(t)
	root.put("default", "key", `"kept"`).expect(201)
	for name, test := range map[string]struct{ header, code string }{
		"empty":                   {"", "encryption_key_required"},
		"spaces":                  {"   ", "encryption_key_required"},
		"generated, cut":          {generatedKey[:len(generatedKey)-1], "encryption_key_invalid"},
		"generated, longer":       {generatedKey + "x", "encryption_key_invalid"},
		"generated, a slip":       {generatedKey[:10] + "x" + generatedKey[11:], "encryption_key_invalid"},
		"generated, prefix alone": {"lbk1_", "encryption_key_invalid"},
		"generated, bad checksum": {generatedKey[:len(generatedKey)-6] + "AAAAAA", "encryption_key_invalid"},
		"generated, in quotes":    {`"` + generatedKey + `"`, "encryption_key_invalid"},
		"generated, after a name": {"KEY=" + generatedKey, "encryption_key_invalid"},
		"generated, whole header": {"X-Encryption-Key: " + generatedKey, "encryption_key_invalid"},
		"generated, upper case":   {strings.ToUpper(generatedKey), "encryption_key_invalid"},
		"generated, after a BOM":  {"\ufeff" + generatedKey, "encryption_key_invalid"},
		"generated, no prefix":    {generatedKey[len("lbk1_"):], "encryption_key_invalid"},
		"base64 of nothing":       {"b64:", "encryption_key_invalid"},
		"base64, not":             {"b64:***", "encryption_key_invalid"},
		"base64 without padding":  {"b64:cGxhaW4", "encryption_key_invalid"},
		"base64 of the URL kind":  {"b64:_-8=", "encryption_key_invalid"},
		"base64, too long": {"b64:" + base64.StdEncoding.EncodeToString(make([]byte, 1025)),
			"encryption_key_invalid"},
		"passphrase, too long":     {strings.Repeat("x", 1025), "encryption_key_invalid"},
		"passphrase, not UTF-8":    {"\xff\xfe", "encryption_key_invalid"},
		"passphrase, half a UTF-8": {"abc\xc3", "encryption_key_invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := root.in(t)
			got := c.get("default", "key", "X-Encryption-Key", test.header).refuses(400,
				test.code).about("X-Encryption-Key")
			if len(test.header) > len("lbk1_") {
				require.NotContains(t, string(got.Body), test.header, "no error repeats a key")
			}
			c.put("default", "key", `2`, "X-Encryption-Key", test.header).refuses(400, test.code)
			c.put("default", "new", `2`, "X-Encryption-Key", test.header).refuses(400, test.code)
		})
	}
	root.do("GET", "/boxes/default/entries/key", nil).refuses(400, "encryption_key_required")
	root.do("GET", "/boxes/default/entries/unknown", nil).refuses(400, "encryption_key_required")
	root.do("POST", "/boxes/default/entries", `{"key":"key","value":1}`).refuses(400, "encryption_key_required")
	root.get("default", "key").is(`"kept"`)
	root.get("default", "new").refuses(404, "entry_not_found")

	request, err := http.NewRequestWithContext(t.Context(), "GET", root.server.url+"/boxes/default/entries/key", nil)
	require.NoError(t, err)
	request.Header = http.Header{"Authorization": {"Bearer " + root.token},
		"X-Encryption-Key": {generatedKey, otherKey}}
	response, err := httpClient.Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, 400, response.StatusCode, "which of two keys is meant cannot be known")
}

// TestAnotherEncryptionKey writes new versions of an entry under other client keys. If the key differs from the key of
// the previous version, the response has the header X-Encryption-Key-Changed.
func TestAnotherEncryptionKey(t *testing.T) {
	t.Parallel()
	root := withBox(t)
	changed := func(got *answer) []string { return got.expect(201).Header["X-Encryption-Key-Changed"] }
	require.Nil(t, changed(root.put("default", "key", `1`)), "there was none before")
	require.Nil(t, changed(root.put("default", "key", `2`)))
	require.Equal(t, []string{"true"}, changed(root.put("default", "key", `3`, "X-Encryption-Key", otherKey)))
	require.Nil(t, changed(root.put("default", "key", `4`, "X-Encryption-Key", otherKey)))
	require.Equal(t, []string{"true"}, changed(root.put("default", "key", `5`, "X-Encryption-Key", "a passphrase")))
	require.Nil(t, changed(root.put("default", "key", `6`, "X-Encryption-Key", "a passphrase")))
	require.Nil(t, changed(root.put("default", "key", `7`, "X-Encryption-Key", "b64:YSBwYXNzcGhyYXNl")),
		"the same in another spelling")
	require.Equal(t, []string{"true"}, changed(root.put("default", "key", `8`, "X-Encryption-Key", "A passphrase")))
	root.get("default", "key?version=1").is(`1`)
	root.get("default", "key?version=3", "X-Encryption-Key", otherKey).is(`3`)
	root.get("default", "key").refuses(403, "encryption_key_mismatch")
	root.do("DELETE", "/boxes/default/entries/key", nil).expect(204)
	require.Nil(t, changed(root.put("default", "key", `9`)), "there is none before it")
}

// TestOneKeyForManyEntries writes entries of two boxes under two client keys, and reads each entry with its client key.
func TestOneKeyForManyEntries(t *testing.T) {
	t.Parallel()
	root := withBox(t)
	root.box("other")
	root.put("default", "one", `"1"`).expect(201)
	root.put("default", "two", `"2"`, "X-Encryption-Key", otherKey).expect(201)
	root.put("other", "one", `"3"`, "X-Encryption-Key", otherKey).expect(201)
	root.get("default", "one").is(`"1"`)
	root.get("default", "two").refuses(403, "encryption_key_mismatch")
	root.get("other", "one", "X-Encryption-Key", otherKey).is(`"3"`)
}

func TestListEntries(t *testing.T) {
	t.Parallel()
	root := withBox(t)
	root.do("GET", "/boxes/default/entries", nil).expect(200).is(`[]`)
	for _, key := range []string{"b", "a/b", "a", "A/C", "a:b", "a-b", "a_b", "ab", "0", "_", "team/db", "team/db2",
		"deleted"} {
		root.put("default", key, `1`).expect(201)
	}
	root.do("DELETE", "/boxes/default/entries/deleted", nil).expect(204)
	for query, want := range map[string]string{
		"":                   `["0","_","a","a-b","a/b","a/c","a:b","a_b","ab","b","team/db","team/db2"]`,
		"?prefix=":           `["0","_","a","a-b","a/b","a/c","a:b","a_b","ab","b","team/db","team/db2"]`,
		"?prefix=a":          `["a","a-b","a/b","a/c","a:b","a_b","ab"]`,
		"?prefix=A":          `["a","a-b","a/b","a/c","a:b","a_b","ab"]`,
		"?prefix=a/":         `["a/b","a/c"]`,
		"?prefix=a%2F":       `["a/b","a/c"]`,
		"?prefix=a:":         `["a:b"]`,
		"?prefix=a_":         `["a_b"]`,
		"?prefix=_":          `["_"]`,
		"?prefix=team/db":    `["team/db","team/db2"]`,
		"?prefix=unknown":    `[]`,
		"?prefix=deleted":    `[]`,
		"?PREFIX=a":          `["0","_","a","a-b","a/b","a/c","a:b","a_b","ab","b","team/db","team/db2"]`,
		"?prefix=0&prefix=a": `["0"]`,
	} {
		t.Run(query, func(t *testing.T) {
			t.Parallel()
			root.in(t).do("GET", "/boxes/Default/entries"+query, nil).expect(200).is(want)
		})
	}
	for _, bad := range []string{"%20", "/", "-a", "a//", "%00", "%ff", "a%25", "ä", "..", "a*",
		strings.Repeat("k", 200)} {
		t.Run("bad "+bad[:min(len(bad), 10)], func(t *testing.T) {
			t.Parallel()
			root.in(t).do("GET", "/boxes/default/entries?prefix="+bad, nil).refuses(400,
				"invalid_prefix").about("prefix")
		})
	}
}

func TestReadEntryHeaders(t *testing.T) {
	t.Parallel()
	root := withBox(t)
	before := time.Now().Truncate(time.Second)
	require.Equal(t, `"1"`, root.put("default", "key", `1`).expect(201).Header.Get("ETag"))
	require.Equal(t, `"2"`, root.put("default", "key", `2`).expect(201).Header.Get("ETag"))
	for query, etag := range map[string]string{"": `"2"`, "?version=": `"2"`, "?version=1": `"1"`,
		"?version=2": `"2"`} {
		got := root.get("default", "key"+query).expect(200)
		require.Equal(t, etag, got.Header.Get("ETag"))
		modified, err := time.Parse(http.TimeFormat, got.Header.Get("Last-Modified"))
		require.NoError(t, err)
		require.WithinRange(t, modified, before, time.Now())
	}
}

func TestDeleteEntry(t *testing.T) {
	t.Parallel()
	root := withBox(t)
	root.put("default", "a/b", `1`).expect(201)
	root.do("DELETE", "/boxes/default/entries/A%2FB", nil).expect(204).isEmpty("")
	root.do("DELETE", "/boxes/default/entries/a%2Fb", nil).refuses(404, "entry_not_found")
	root.do("DELETE", "/boxes/default/entries/unknown", nil).refuses(404, "entry_not_found")
	root.get("default", "a%2Fb").refuses(404, "entry_not_found")
	root.get("default", "a%2Fb?version=1").refuses(404, "entry_not_found")
	root.get("default", "unknown").refuses(404, "entry_not_found")
	require.Equal(t, `"2"`, root.put("default", "a/b", `2`).expect(201).Header.Get("ETag"), "versions never restart")
	root.get("default", "a%2Fb").is(`2`)
}
