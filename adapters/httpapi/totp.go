package httpapi

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"github.com/lockbox-go/lockbox/domain/identity"
	"github.com/lockbox-go/lockbox/ports"
)

// codeText is a TOTP code or recovery code in a body. Some clients send a TOTP code as a JSON number, without the
// leading zeros. Decoding restores these zeros. Any other JSON value becomes "" and causes no error. The use case then
// reports a missing code in the format of its API.
type codeText string

// UnmarshalJSON decodes a string or a number.
func (c *codeText) UnmarshalJSON(raw []byte) error {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		*c = codeText(text)
		return nil
	}
	if number, err := strconv.ParseUint(string(raw), 10, 32); err == nil {
		*c = codeText(fmt.Sprintf("%06d", number))
	}
	return nil
}

// codeBody is the body of a request with a TOTP code or a recovery code.
type codeBody struct {
	Code codeText `json:"code"`
}

// totpProofBody is the body of a request that enrols or confirms a TOTP secret.
type totpProofBody struct {
	Code            codeText `json:"code"`
	CurrentPassword string   `json:"currentPassword"`
}

// qrURI returns a QR code as a data URI, which pages use as the source of an image.
func qrURI(enrolment ports.Enrolment) string {
	return "data:image/png;base64," + base64.StdEncoding.EncodeToString(enrolment.PNG)
}

// enrolmentBody has the TOTP secret in three forms, and the recovery codes. It is shown once.
type enrolmentBody struct {
	Secret        string   `json:"secret"`
	URI           string   `json:"uri"`
	QR            string   `json:"qr"`
	RecoveryCodes []string `json:"recoveryCodes"`
}

// enrolTOTP answers POST /users/{username}/totp with a new TOTP secret and recovery codes. A user who has a password
// must send the password. A user who has a confirmed secret must send a code of that secret.
func (a *API) enrolTOTP(r *request) error {
	body, err := bindOptional[totpProofBody](r)
	if err != nil {
		return err
	}
	enrolled, err := a.identity.EnrolTOTP(r.ctx(), r.by, identity.EnrolTOTP{
		Username:        r.param("username"),
		Code:            string(body.Code),
		CurrentPassword: body.CurrentPassword,
	})
	if err != nil {
		return err
	}
	recovery := make([]string, len(enrolled.Recovery))
	for i, code := range enrolled.Recovery {
		recovery[i] = code.String()
	}
	return r.jsonStatus(http.StatusCreated, enrolmentBody{
		Secret:        enrolled.Enrolment.Secret,
		URI:           enrolled.Enrolment.URI,
		QR:            qrURI(enrolled.Enrolment),
		RecoveryCodes: recovery,
	})
}

// confirmTOTP answers POST /users/{username}/totp/confirm, which turns two-factor authentication on.
func (a *API) confirmTOTP(r *request) error {
	body, err := bind[totpProofBody](r)
	if err != nil {
		return err
	}
	return r.noContent(a.identity.ConfirmTOTP(r.ctx(), r.by, identity.ConfirmTOTP{
		Username:        r.param("username"),
		Code:            string(body.Code),
		CurrentPassword: body.CurrentPassword,
	}))
}

// removeTOTP answers DELETE /users/{username}/totp. Users who remove their own secrets must send a code. Admins who
// remove another user's secrets need no code.
func (a *API) removeTOTP(r *request) error {
	body, err := bindOptional[codeBody](r)
	if err != nil {
		return err
	}
	return r.noContent(a.identity.RemoveTOTP(r.ctx(), r.by, r.param("username"), string(body.Code)))
}
