package e2e

import (
	"context"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/cmd/boot"
	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/domain/identity"
)

// withoutChanges lists the actions that change no property of a user, a member, a box or a credential.
var withoutChanges = []domain.Action{domain.ActionShowAPIKeys, domain.ActionWriteEntry, domain.ActionReadEntry,
	domain.ActionRestoreEntry, domain.ActionDeleteEntry, domain.ActionRotateSecret, domain.ActionRekey,
	domain.ActionRefresh, domain.ActionUnlock, domain.ActionAddDroplet, domain.ActionStartDroplet,
	domain.ActionStopDroplet, domain.ActionRestartDroplet, domain.ActionDeleteDroplet, domain.ActionWriteIdentity,
	domain.ActionLockIdentity, domain.ActionUnlockIdentity, domain.ActionDeleteLocked, domain.ActionWriteKeyring}

// The type changing is one row of the table of this test. The function act sends a request or runs a command. The
// server must then write an audit event whose action and changes are equal to those of the row.
type changing struct {
	name, action, changes string
	act                   func()
}

// changesTest makes changes on one server, in order.
type changesTest struct {
	*server
	root     client
	operator identity.Operator
	seen     map[string]bool
}

// TestEventsStateWhatChanged makes every kind of change to a role, a permission, an expiry, a password, two-factor or
// ownership. It verifies that the event of each change states the property with its old and new value.
func TestEventsStateWhatChanged(t *testing.T) {
	t.Parallel()
	c := &changesTest{server: start(t, "THROTTLE_FREE_ATTEMPTS=50"), seen: make(map[string]bool)}
	operator, closeOperator, err := boot.OpenOperator(t.Context(), configOf(t, c.db), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer closeOperator()
	c.operator, c.root = operator, c.initialize()
	c.check([]changing{{"the owner", "system.initialize", "owner:>root; role:>admin; group:>owner; state:>active; " +
		"password:none>set; apiKeys:>issued", func() {}}})
	c.check(c.users())
	c.check(c.credentials())
	c.check(c.secondFactors())
	c.check(c.boxes())
	c.check(c.operators())
	for _, action := range domain.Actions() {
		require.NotEqual(t, c.seen[action.String()], contains(withoutChanges, action), "%s", action)
	}
}

func contains(actions []domain.Action, wanted domain.Action) bool {
	for _, action := range actions {
		if action == wanted {
			return true
		}
	}
	return false
}

// anyTime matches a time in the changes of an event. The check method replaces each time with TIME.
var anyTime = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`)

// The check method calls act for each row. It then reads the newest event with the action of the row. The changes in
// this event must be equal to the changes in the row.
func (c *changesTest) check(rows []changing) {
	c.t.Helper()
	for _, row := range rows {
		row.act()
		c.seen[row.action] = true
		stated := []string{}
		event := c.root.lastEvent(row.action)
		changes, _ := event["changes"].([]any)
		for _, each := range changes {
			change := each.(map[string]any)
			stated = append(stated, fmt.Sprintf("%s:%s>%s", change["property"], orEmpty(change["from"]),
				orEmpty(change["to"])))
		}
		require.Equal(c.t, row.changes, anyTime.ReplaceAllString(strings.Join(stated, "; "), "TIME"), row.name)
	}
}

func orEmpty(text any) any {
	if text == nil {
		return ""
	}
	return text
}

// send returns a function for the field act. This function sends a request and requires the given status.
func (c *changesTest) send(by *client, method, path, body string, status int) func() {
	return func() {
		c.t.Helper()
		if body == "" {
			by.do(method, path, nil).expect(status)
			return
		}
		by.do(method, path, body).expect(status)
	}
}

func (c *changesTest) users() []changing {
	update := func(name, changes, body string) changing {
		return changing{name, "user.update", changes, c.send(&c.root, "PUT", "/users/anna", body, 204)}
	}
	return []changing{
		{"a user", "user.create", "role:>user; group:>none; state:>active; password:none>set; apiKeys:>issued",
			func() { c.root.user("anna") }},
		{"an account", "user.create", "role:>user; group:>viewer; state:>active",
			c.send(&c.root, "POST", "/api/v1/user/add", `{"username":"vera","group":"viewer"}`, 200)},
		update("a role", "role:user>admin", `{"role":"admin"}`),
		update("a group", "group:none>manager", `{"group":"manager"}`),
		update("several", "role:admin>user; group:manager>none", `{"role":"user","group":"none"}`),
		update("nothing", "", `{"role":"user"}`),
		update("inactive", "state:active>inactive; sessions:>revoked; apiKeys:>revoked", `{"isActive":false}`),
		update("active", "state:inactive>active", `{"isActive":true}`),
		update("API keys", "apiKeys:>revoked", `{"revokeApiKeys":true}`),
		{"a password", "user.password", "sessions:>revoked; password:set>replaced",
			c.send(&c.root, "PUT", "/users/anna", `{"password":"another-password"}`, 204)},
		{"a first password", "user.password", "sessions:>revoked; password:none>set",
			c.send(&c.root, "PUT", "/users/vera", `{"password":"vera-password"}`, 204)},
		{"an invitation", "user.invite", "role:>admin; expiry:>TIME",
			c.send(&c.root, "POST", "/invitations", `{"username":"ines","role":"admin"}`, 201)},
		{"another invitation", "user.invite", "role:admin>user; expiry:TIME>TIME",
			c.send(&c.root, "POST", "/invitations", `{"username":"ines","expiry":"1:00:00:00"}`, 201)},
		{"no invitation", "invitation.revoke", "role:user>; expiry:TIME>",
			c.send(&c.root, "DELETE", "/invitations/ines", "", 204)},
		{"an accepted invitation", "user.join", "role:>user; group:>none; state:>active; password:none>set", func() {
			code := c.root.invite("ines")
			c.as("").do("POST", "/invitations/accept", `{"code":"`+code+`","password":"ines-password"}`).expect(201)
		}},
		{"no user", "user.delete", "role:user>; group:none>; state:active>",
			c.send(&c.root, "DELETE", "/users/ines", "", 204)},
	}
}

func (c *changesTest) credentials() []changing {
	var issued client
	issue := func(body any) func() { return func() { issued = c.root.issue(body) } }
	revoke := func() { c.root.do("DELETE", "/api-keys/"+issued.keyID(), nil).expect(204) }
	return []changing{
		{"a key", "api-key.create", "expiry:>never", issue(nil)},
		{"no key", "api-key.delete", "expiry:never>", revoke},
		{"a short key", "api-key.create", "expiry:>TIME", issue(`{"expiry":"1:00:00:00"}`)},
		{"no short key", "api-key.delete", "expiry:TIME>", revoke},
		{"a session", "session.create", "expiry:>TIME", func() { c.authenticate("root", "root-password").expect(200) }},
		{"no sessions", "session.revoke", "sessions:>revoked",
			c.send(&c.root, "DELETE", "/api/v1/user/auth/revoke/anna", "", 200)},
	}
}

func (c *changesTest) secondFactors() []changing {
	max := c.root.user("max")
	var made enrolment
	enrol := func(code string) {
		made = read[enrolment](max.do("POST", "/users/max/totp", ownProof("max", code)).expect(201))
	}
	confirm := func() {
		forgetSteps(c.t, c.server)
		max.do("POST", "/users/max/totp/confirm", ownProof("max", codeOf(c.t, made.Secret, 0))).expect(204)
	}
	return []changing{
		{"enrolled", "totp.enrol", "totp:none>none, enrolling", func() { enrol("") }},
		{"enrolled again", "totp.enrol", "totp:none, enrolling>none, enrolling, replaced", func() { enrol("") }},
		{"confirmed", "totp.confirm", "totp:none, enrolling>confirmed", confirm},
		{"a recovery code", "session.create", "expiry:>TIME; recoveryCode:unused>used", func() {
			request := passwordAndCode("max", "max-password", made.RecoveryCodes[0])
			c.as("").do("POST", "/authenticate", request).expect(200)
		}},
		{"another phone", "totp.enrol", "totp:confirmed>confirmed, enrolling; recoveryCode:unused>used",
			func() { enrol(made.RecoveryCodes[1]) }},
		{"another secret", "totp.confirm", "totp:confirmed, enrolling>confirmed", confirm},
		{"removed", "totp.remove", "totp:confirmed>none; recoveryCode:unused>used", func() {
			max.do("DELETE", "/users/max/totp", `{"code":"`+made.RecoveryCodes[0]+`"}`).expect(204)
		}},
		{"an account's secret", "totp.show", "totp:none>unconfirmed", func() {
			made.Secret = c.root.do("GET", "/api/v1/user/auth/setup/vera", nil).expect(200).string("secret")
		}},
		{"shown again", "totp.show", "", c.send(&c.root, "GET", "/api/v1/user/auth/setup/vera", "", 200)},
		{"a first code", "session.create", "expiry:>TIME; totp:unconfirmed>confirmed", func() {
			c.as("").do("POST", "/api/v1/user/auth",
				passwordAndCode("vera", "vera-password", codeOf(c.t, made.Secret, 0))).expect(200)
		}},
		{"an older release's code", "recovery-code.convert", "recoveryCode:plain>keyed", func() {
			run(c.t, c.db, `INSERT INTO recovery_codes (code_id, hash) SELECT id, sha256('plain') FROM one_time_codes`)
			_, err := serverKeys(c.t, c.db).ConvertRecoveryCodes(c.t.Context(), 1)
			require.NoError(c.t, err)
		}},
		{"an older release's codes", "recovery-code.delete", "recoveryCode:plain>deleted", func() {
			run(c.t, c.db, `INSERT INTO recovery_codes (code_id, hash) SELECT id, sha256('plain') FROM one_time_codes`)
			_, err := serverKeys(c.t, c.db).DeletePlainRecoveryCodes(c.t.Context())
			require.NoError(c.t, err)
		}},
		{"removed by an admin", "totp.remove", "totp:confirmed>none",
			c.send(&c.root, "DELETE", "/users/vera/totp", "", 204)},
	}
}

func (c *changesTest) boxes() []changing {
	olga, bert := c.root.user("olga"), c.root.user("bert")
	const all = "readEntryKeys, readEntry, createEntry, deleteEntry"
	permit := func(name, changes, body string) changing {
		return changing{name, "box-user.permissions", changes,
			c.send(&olga, "PUT", "/boxes/prod/users/bert/permissions", body, 204)}
	}
	offer := c.send(&olga, "PUT", "/boxes/prod", `{"owner":"bert"}`, 204)
	return []changing{
		{"a box", "box.create", "owner:>olga; role:>boxadmin; state:>active; permissions:>" + all,
			c.send(&olga, "POST", "/boxes/prod", "", 201)},
		{"a member", "box-user.add", "role:>boxuser; state:>active; permissions:>readEntryKeys, readEntry",
			c.send(&olga, "POST", "/boxes/prod/users", `{"username":"bert"}`, 201)},
		{"a box role", "box-user.update", "role:boxuser>boxadmin",
			c.send(&olga, "PUT", "/boxes/prod/users/bert", `{"role":"boxadmin"}`, 204)},
		{"a state", "box-user.update", "role:boxadmin>boxuser; state:active>inactive",
			c.send(&olga, "PUT", "/boxes/prod/users/bert", `{"isActive":false,"role":"boxuser"}`, 204)},
		{"a state again", "box-user.update", "state:inactive>active",
			c.send(&olga, "PUT", "/boxes/prod/users/bert", `{"isActive":true}`, 204)},
		permit("no permissions", "permissions:readEntryKeys, readEntry>none", `[]`),
		permit("a permission", "permissions:none>deleteEntry", `["deleteEntry"]`),
		permit("all permissions", "permissions:deleteEntry>"+all,
			`["readEntryKeys","readEntry","createEntry","deleteEntry"]`),
		{"an offer", "box.offer", "offeredTo:>bert; expiry:>TIME", offer},
		{"no offer", "box.offer-end", "offeredTo:bert>; expiry:TIME>",
			c.send(&bert, "DELETE", "/boxes/prod/offer", "", 204)},
		{"an accepted offer", "box.transfer", "owner:olga>bert; role:boxuser>boxadmin; offeredTo:bert>; expiry:TIME>",
			func() {
				offer()
				bert.do("POST", "/boxes/prod/offer/accept", nil).expect(204)
			}},
		{"a transfer", "box.transfer", "owner:bert>olga",
			c.send(&c.root, "PUT", "/boxes/prod", `{"owner":"olga"}`, 204)},
		{"no member", "box-user.remove", "role:boxadmin>; state:active>; permissions:" + all + ">",
			c.send(&bert, "DELETE", "/boxes/prod/users/bert", "", 204)},
		{"no box", "box.delete", "owner:olga>", c.send(&olga, "DELETE", "/boxes/prod", "", 204)},
		{"another owner", "system.hand-over", "owner:root>bert; formerOwnerGroup:owner>manager; role:user>admin; " +
			"group:none>owner", c.send(&c.root, "PUT", "/users/bert", `{"group":"owner"}`, 204)},
	}
}

func (c *changesTest) operators() []changing {
	create := func(group string, recreate bool) func() {
		return func() {
			_, err := c.operator.CreateUser(context.Background(),
				identity.OperatorCreateUser{Username: "otto", Group: group, Recreate: recreate})
			require.NoError(c.t, err)
		}
	}
	active := func(is bool) func() {
		return func() { require.NoError(c.t, c.operator.SetUserActive(context.Background(), "otto", is)) }
	}
	return []changing{
		{"created", "user.create", "role:>user; group:>viewer; state:>active; totp:none>unconfirmed",
			create("viewer", false)},
		{"revoked", "session.revoke", "sessions:>revoked", create("viewer", false)},
		{"recreated", "totp.enrol", "group:viewer>manager; sessions:>revoked; totp:unconfirmed>unconfirmed, replaced",
			create("manager", true)},
		{"password", "user.password", "sessions:>revoked; password:none>set", func() {
			require.NoError(c.t, c.operator.SetPassword(context.Background(), "otto", "otto-password"))
		}},
		{"deactivated", "user.update", "state:active>inactive; sessions:>revoked; apiKeys:>revoked", active(false)},
		{"activated", "user.update", "state:inactive>active", active(true)},
	}
}
