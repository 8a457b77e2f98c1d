package httpapi

import (
	"errors"
	"net/http"
	"slices"

	"github.com/lockbox-go/lockbox/domain"
)

// AccountsError is an error of the accounts API. Clients depend on Text, so it must not change.
type AccountsError struct {
	// ID is sent as errorId. It is 0 for a domain error whose code is not in accountsErrors.
	ID     int
	Status int
	Text   string
}

var (
	// Clients of the original API rely on the number, the status and the text of each error.
	accountsRouteNotFound = AccountsError{404, http.StatusNotFound, "Route not found"}
	accountsHostRefused   = AccountsError{900, http.StatusBadRequest, "the droplet host's reason"}
	accountsIncomplete    = AccountsError{901, http.StatusBadRequest,
		`The request body must contain "code" and "username"`}
	accountsCodeInvalid  = AccountsError{902, http.StatusBadRequest, "TOTP code invalid"}
	accountsUserNotFound = AccountsError{903, http.StatusBadRequest, "User not found"}
	accountsRevokeOthers = AccountsError{904, http.StatusUnauthorized,
		"Only system owner can revoke access for others"}
	accountsUnknownGroup    = AccountsError{905, http.StatusBadRequest, "The group is unknown"}
	accountsSecondOwner     = AccountsError{906, http.StatusForbidden, "The system cannot have multiple owners"}
	accountsTokenNotFound   = AccountsError{908, http.StatusUnauthorized, "Access token not found"}
	accountsTokenExpired    = AccountsError{909, http.StatusUnauthorized, "Access token expired"}
	accountsRefreshNotFound = AccountsError{910, http.StatusUnauthorized, "Refresh token not found"}
	accountsAccessDenied    = AccountsError{912, http.StatusForbidden, "Access denied"}
	accountsUserIncomplete  = AccountsError{913, http.StatusBadRequest,
		`The request body must contain "group" and "username"`}
	accountsUserExists = AccountsError{914, http.StatusBadRequest, "Username is already taken"}
)

// accountsErrors maps the codes of domain errors to the matching errors of the accounts API.
var accountsErrors = map[string]AccountsError{
	"route_not_found":                            accountsRouteNotFound,
	codeMethodNotAllowed:                         accountsRouteNotFound,
	domain.ErrDropletHostRefused.Code:            accountsHostRefused,
	domain.ErrDropletReasonWithheld.Code:         accountsHostRefused,
	domain.ErrDropletNotFound.Code:               accountsHostRefused,
	domain.DropletPrefix("").NoFreeNumber().Code: accountsHostRefused,
	"sign_in_incomplete":                         accountsIncomplete,
	domain.ErrCodeInvalid.Code:                   accountsCodeInvalid,
	domain.ErrUserNotFound.Code:                  accountsUserNotFound,
	domain.ErrRevokeOthers.Code:                  accountsRevokeOthers,
	domain.ErrUnknownGroup.Code:                  accountsUnknownGroup,
	domain.ErrSecondOwner.Code:                   accountsSecondOwner,
	domain.ErrUnauthenticated.Code:               accountsTokenNotFound,
	domain.ErrRefreshToken.Code:                  accountsRefreshNotFound,
	domain.ErrGroupTooLow.Code:                   accountsAccessDenied,
	"account_incomplete":                         accountsUserIncomplete,
	"invalid_username":                           accountsUserIncomplete,
	domain.ErrUserExists.Code:                    accountsUserExists,
}

// AccountsErrors lists all errors whose errorId is not 0, in ascending order of errorId. The documentation is checked
// against this list.
func AccountsErrors() []AccountsError {
	lines := []AccountsError{accountsTokenExpired}
	for _, line := range accountsErrors {
		if !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	slices.SortFunc(lines, func(a, b AccountsError) int { return a.ID - b.ID })
	return lines
}

// accountsError converts a domain error into an error of the accounts API. If accountsErrors does not contain the code
// of the domain error, the result has the message of the domain error, the given status, and errorId 0.
func accountsError(refusal *domain.Error, status int) AccountsError {
	// The domain errors for an expired token and for an unknown token have the same code and differ only in their
	// causes.
	if errors.Is(refusal, domain.ErrCredentialExpired) {
		return accountsTokenExpired
	}
	if known, ok := accountsErrors[refusal.Code]; ok {
		return known
	}
	if refusal.Code == domain.ErrOwnerStays.Code {
		status = http.StatusForbidden // 409 in the Lockbox API
	}
	return AccountsError{Status: status, Text: refusal.Message}
}

// hostReason returns the text of an error with errorId 900. If the droplet host refused the request, the text is the
// reason that the host gave. If Lockbox refused the request, the text imitates an error message of the Docker daemon.
// The droplet argument is the name of the droplet in the path.
func hostReason(refusal *domain.Error, droplet string) string {
	const daemon = "Error response from daemon: "
	switch refusal.Code {
	case domain.ErrDropletHostRefused.Code:
		return refusal.Message
	case domain.ErrDropletNotFound.Code:
		return daemon + "No such container: " + droplet
	default:
		return daemon + refusal.Message
	}
}
