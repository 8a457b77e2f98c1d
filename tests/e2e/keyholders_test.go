package e2e

import (
	"crypto/rand"
	"encoding/base64"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/tests/usecases"
)

// holder is a user with an identity and a session from a recent sign-in.
type holder struct {
	client
	name         string
	keys         usecases.KeyHolder
	installation domain.InstallationID
}

// The holder method signs a user in and sets a new identity. The password must be the name of the user followed by
// -password.
func (s *server) holder(name string) holder {
	s.t.Helper()
	h := holder{client: s.signIn(name, name+"-password"), name: name}
	who := h.do("GET", "/whoami", nil).expect(200)
	user, ok := domain.ParseID[domain.User](who.string("id"))
	require.True(s.t, ok)
	h.installation, ok = domain.ParseID[domain.Installation](who.string("installation"))
	require.True(s.t, ok)
	return h.rotate(user)
}

// rotate sets a new identity.
func (h holder) rotate(user domain.UserID) holder {
	h.server.t.Helper()
	h.keys = usecases.RandomKeyHolder(h.server.t, user)
	got := h.do("PUT", "/users/"+h.name+"/identity", map[string]string{"public": h.keys.Public.String()})
	require.Contains(h.server.t, []int{200, 201}, got.Status, "%s", got.Body)
	return h
}

// The plan method returns the contents of the first keyring of a box, with a random key. The recipients are h and the
// holders in the argument others.
func (h holder) plan(box string, others ...holder) usecases.KeyringPlan {
	h.server.t.Helper()
	id, ok := domain.ParseID[domain.Box](h.do("GET", "/boxes/"+box, nil).expect(200).string("id"))
	require.True(h.server.t, ok)
	plan := usecases.KeyringPlan{
		Installation: h.installation,
		Box:          id,
		Sequence:     1,
		Author:       h.keys,
		Recipients:   []usecases.KeyHolder{h.keys},
	}
	_, _ = rand.Read(plan.Key[:])
	return with(plan, others...)
}

// The with function copies a plan and adds recipients to the copy.
func with(plan usecases.KeyringPlan, others ...holder) usecases.KeyringPlan {
	plan.Recipients = append([]usecases.KeyHolder{}, plan.Recipients...)
	for _, other := range others {
		plan.Recipients = append(plan.Recipients, other.keys)
	}
	return plan
}

// rekeyed returns the plan of a keyring that replaces the keyring in the argument plan. The new keyring has a new key.
// Its author is h. Its recipients are h and the holders in the argument others.
func (h holder) rekeyed(plan usecases.KeyringPlan, others ...holder) usecases.KeyringPlan {
	plan.Earlier = append(append([][32]byte{}, plan.Earlier...), plan.Key)
	_, _ = rand.Read(plan.Key[:])
	plan.Sequence++
	plan.Author = h.keys
	plan.Recipients = []usecases.KeyHolder{h.keys}
	return with(plan, others...)
}

// granted returns the plan of a keyring that replaces the keyring in the argument plan. The new keyring has the same
// key and additional recipients. Its author is h.
func (h holder) granted(plan usecases.KeyringPlan, others ...holder) usecases.KeyringPlan {
	plan.Sequence++
	plan.Author = h.keys
	return with(plan, others...)
}

// keyringBody returns the body of PUT /boxes/{box}/keyring.
func keyringBody(t testing.TB, plan usecases.KeyringPlan) map[string]any {
	t.Helper()
	encode := base64.RawURLEncoding.EncodeToString
	built := plan.Build(t)
	recipients := make([]map[string]string, len(built.Recipients))
	for i, each := range built.Recipients {
		recipients[i] = map[string]string{
			"userId":      each.User.String(),
			"fingerprint": each.Fingerprint.String(),
			"wrapped":     encode(each.Wrapped),
		}
	}
	return map[string]any{
		"head":       encode(built.Head),
		"chain":      encode(built.Chain),
		"signature":  encode(built.Signature),
		"recipients": recipients,
	}
}

// The method named first sends a keyring for a box that has no keyring.
func (c client) first(box string, plan usecases.KeyringPlan) *answer {
	c.server.t.Helper()
	return c.do("PUT", "/boxes/"+box+"/keyring", keyringBody(c.server.t, plan), "If-None-Match", "*")
}

// The replace method sends a new keyring for a box. The argument tag is the entity tag of the current keyring. The
// request also removes members from the box. Their names are in the last argument.
func (c client) replace(box string, plan usecases.KeyringPlan, tag string, remove ...string) *answer {
	c.server.t.Helper()
	body := keyringBody(c.server.t, plan)
	if len(remove) > 0 {
		body["remove"] = remove
	}
	return c.do("PUT", "/boxes/"+box+"/keyring", body, "If-Match", tag)
}

// tag returns the entity tag of an answer.
func (a *answer) tag() string {
	a.t.Helper()
	require.NotEmpty(a.t, a.Header.Get("ETag"), "%s: %s", a.request, a.Body)
	return a.Header.Get("ETag")
}

// keyText returns the box key of a plan in the form of the header X-Encryption-Key.
func keyText(plan usecases.KeyringPlan) string { return domain.FormatGeneratedKey(plan.Key) }

// putUnder writes an entry under the key of a plan.
func (c client) putUnder(plan usecases.KeyringPlan, box, key, value string, headers ...string) *answer {
	c.server.t.Helper()
	return c.put(box, key, value, append([]string{"X-Encryption-Key", keyText(plan)}, headers...)...)
}
