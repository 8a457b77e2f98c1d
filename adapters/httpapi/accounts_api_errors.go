package httpapi

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"

	"github.com/lockbox-go/lockbox/domain"
)

// AccountsError is a line of the table of errors of contract B.
type AccountsError struct {
	ID     int
	Status int
	Text   string
}

var (
	accountsNoRoute   = AccountsError{404, http.StatusNotFound, "Route not found"}
	accountsHostSays  = AccountsError{900, http.StatusBadRequest, "the droplet host's reason"}
	accountsNoSignIn  = AccountsError{901, http.StatusBadRequest, `The request body must contain "code" and "username"`}
	accountsWrongCode = AccountsError{902, http.StatusBadRequest, "TOTP code invalid"}
	accountsNoUser    = AccountsError{903, http.StatusBadRequest, "User not found"}
	accountsNotYours  = AccountsError{904, http.StatusUnauthorized, "Only system owner can revoke access for others"}
	accountsNoGroup   = AccountsError{905, http.StatusBadRequest, "The group is unknown"}
	accountsTwoOwners = AccountsError{906, http.StatusForbidden, "The system cannot have multiple owners"}
	accountsNoToken   = AccountsError{908, http.StatusUnauthorized, "Access token not found"}
	accountsExpired   = AccountsError{909, http.StatusUnauthorized, "Access token expired"}
	accountsNoRefresh = AccountsError{910, http.StatusUnauthorized, "Refresh token not found"}
	accountsDenied    = AccountsError{912, http.StatusForbidden, "Access denied"}
	accountsNoAccount = AccountsError{913, http.StatusBadRequest,
		`The request body must contain "group" and "username"`}
	accountsTaken = AccountsError{914, http.StatusBadRequest, "Username is already taken"}
)

// accountsErrors are found by the code of a refusal.
var accountsErrors = map[string]AccountsError{
	"route_not_found":                            accountsNoRoute,
	codeMethodNotAllowed:                         accountsNoRoute,
	domain.ErrDropletHostRefused.Code:            accountsHostSays,
	domain.ErrDropletReasonWithheld.Code:         accountsHostSays,
	domain.ErrDropletNotFound.Code:               accountsHostSays,
	domain.DropletPrefix("").NoFreeNumber().Code: accountsHostSays,
	"sign_in_incomplete":                         accountsNoSignIn,
	domain.ErrCodeInvalid.Code:                   accountsWrongCode,
	domain.ErrUserNotFound.Code:                  accountsNoUser,
	domain.ErrRevokeOthers.Code:                  accountsNotYours,
	domain.ErrUnknownGroup.Code:                  accountsNoGroup,
	domain.ErrSecondOwner.Code:                   accountsTwoOwners,
	domain.ErrUnauthenticated.Code:               accountsNoToken,
	domain.ErrRefreshToken.Code:                  accountsNoRefresh,
	domain.ErrGroupTooLow.Code:                   accountsDenied,
	"account_incomplete":                         accountsNoAccount,
	"invalid_username":                           accountsNoAccount,
	domain.ErrUserExists.Code:                    accountsTaken,
}

// AccountsErrors lists the table by number. The documentation is checked against it.
func AccountsErrors() []AccountsError {
	lines := []AccountsError{accountsExpired}
	for _, line := range accountsErrors {
		if !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	slices.SortFunc(lines, func(a, b AccountsError) int { return a.ID - b.ID })
	return lines
}

// accountsError writes a refusal as contract B has it. What is not in its table has the errorId 0, a fitting status and
// the sentence of the refusal.
func accountsError(refusal *domain.Error, status int) AccountsError {
	if errors.Is(refusal, domain.ErrCredentialExpired) {
		return accountsExpired
	}
	if known, ok := accountsErrors[refusal.Code]; ok {
		return known
	}
	if refusal.Code == domain.ErrOwnerStays.Code {
		status = http.StatusForbidden
	}
	return AccountsError{Status: status, Text: refusal.Message}
}

// hostReason returns the text of error 900: the reason of the droplet host, or a refusal of the server in the words
// that Docker would use for it.
func hostReason(c echo.Context, refusal *domain.Error) string {
	const daemon = "Error response from daemon: "
	switch refusal.Code {
	case domain.ErrDropletHostRefused.Code:
		return refusal.Message
	case domain.ErrDropletNotFound.Code:
		return daemon + "No such container: " + param(c, "droplet")
	default:
		return daemon + refusal.Message
	}
}

func writeAccountsError(c echo.Context, refusal *domain.Error, status int) {
	line := accountsError(refusal, status)
	if line.ID == accountsHostSays.ID {
		line.Text = hostReason(c, refusal)
	}
	setErrorHeaders(c, refusal, line.Status)
	body, _ := json.Marshal(struct {
		Error string `json:"error"`
		ID    int    `json:"errorId"`
	}{line.Text, line.ID})
	_ = c.Blob(line.Status, contentTypeJSON, body)
}
