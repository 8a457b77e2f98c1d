package client

import (
	"context"
	"iter"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Event is an audit event. Fields that do not apply to an event are empty.
type Event struct {
	ID string    `json:"id"`
	At time.Time `json:"at"`
	// Action is the audited action, such as "entry.read"; docs/operating.md lists all actions.
	Action string `json:"action"`
	// Outcome is "success", "denied", "throttled" (a rate limit refused the request), "tampered" (stored data failed
	// authentication) or "failed" (the droplet host did not complete the action).
	Outcome string `json:"outcome"`
	// Actor is the name of the user who acted, and ActorID is the id of this user. CredentialID is the id of the token
	// that the user sent.
	Actor        string `json:"actor,omitempty"`
	ActorID      string `json:"actorId,omitempty"`
	CredentialID string `json:"credentialId,omitempty"`
	// Box, BoxID and Key identify the box and the entry.
	Box   string `json:"box,omitempty"`
	BoxID string `json:"boxId,omitempty"`
	Key   string `json:"key,omitempty"`
	// Target is any object of the action except the box and the entry, such as a user name or the id of an API key.
	Target    string `json:"target,omitempty"`
	RequestID string `json:"requestId,omitempty"`
	// Address is the client's IP address.
	Address string `json:"address,omitempty"`
	// Suppressed is the number of refused requests that this one event summarizes. It is 0 for an event about one
	// request.
	Suppressed int `json:"suppressed,omitempty"`
	// Changes lists the properties that the action changed, such as a role. It is nil if no property changed.
	Changes []EventChange `json:"changes,omitempty"`
}

// EventChange is a property that an action changed, such as "role", "permissions" or "expiry"; docs/operating.md lists
// all properties. From is the old value; it is empty if the property is new. To is the new value; it is empty if the
// property no longer exists.
type EventChange struct {
	Property string `json:"property"`
	From     string `json:"from,omitempty"`
	To       string `json:"to,omitempty"`
}

// EventFilter selects events of the audit log. Nil selects all of them.
type EventFilter struct {
	// Limit is the maximum number of events per page, from 1 to 1000; 0 means the server's default, 100.
	Limit int
	// Before is the position at which the listing begins: EventPage.Next of the previous page, or "" for the first
	// page.
	Before string
	// Action selects one action, such as "entry.read". User selects one user.
	Action, User string
	// Since is the time of the oldest event that the caller needs. Events and BoxEvents may yield a few older events
	// before they stop. If Since is the zero time, they continue to the oldest event of the log. ListEvents and
	// ListBoxEvents ignore Since.
	Since time.Time
}

func (f *EventFilter) query() url.Values {
	query := url.Values{}
	if f == nil {
		return query
	}
	if f.Limit != 0 {
		query.Set("limit", strconv.Itoa(f.Limit))
	}
	for name, value := range map[string]string{"before": f.Before, "action": f.Action, "user": f.User} {
		if value != "" {
			query.Set(name, value)
		}
	}
	return query
}

// EventPage is a page of the audit log, newest event first. If the filter selects an action or a user, any page can be
// shorter than the limit or even empty. Only an empty Next marks the last page.
type EventPage struct {
	Events []Event `json:"events"`
	// Next is the value of EventFilter.Before for the next page. It is "" on the last page.
	Next string `json:"next"`
}

// ListEvents returns a page of the audit log. Only admins may call ListEvents.
func (c *Client) ListEvents(ctx context.Context, filter *EventFilter) (*EventPage, error) {
	return c.eventPage(ctx, get("/audit"), filter)
}

// ListBoxEvents returns a page of one box's audit log. Only boxadmins and admins may call ListBoxEvents.
func (c *Client) ListBoxEvents(ctx context.Context, box string, filter *EventFilter) (*EventPage, error) {
	return c.eventPage(ctx, get("/boxes/{box}/audit", box), filter)
}

func (c *Client) eventPage(ctx context.Context, k call, filter *EventFilter) (*EventPage, error) {
	k.query = filter.query()
	page, err := fetch[EventPage](ctx, c, k)
	if err != nil {
		return nil, err
	}
	return &page, nil
}

// Events iterates over the audit log, newest event first, and fetches pages as needed. If filter.Before is set, the
// iteration begins at that position. If a request fails, Events yields the error of the request and stops.
func (c *Client) Events(ctx context.Context, filter *EventFilter) iter.Seq2[Event, error] {
	return events(filter, func(page *EventFilter) (*EventPage, error) { return c.ListEvents(ctx, page) })
}

// BoxEvents iterates over one box's audit log, like Events.
func (c *Client) BoxEvents(ctx context.Context, box string, filter *EventFilter) iter.Seq2[Event, error] {
	return events(filter, func(page *EventFilter) (*EventPage, error) { return c.ListBoxEvents(ctx, box, page) })
}

func events(filter *EventFilter, list func(*EventFilter) (*EventPage, error)) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		at := orZero(filter)
		for {
			page, err := list(&at)
			if err != nil {
				yield(Event{}, err)
				return
			}
			for _, event := range page.Events {
				if !yield(event, nil) {
					return
				}
			}
			if page.Next == "" || page.Next == at.Before {
				return // a faulty server could otherwise repeat the same page endlessly
			}
			if position, ok := timeOfEvent(page.Next); ok && position.Before(at.Since) {
				return // all remaining events are older than Since
			}
			at.Before = page.Next
		}
	}
}

// timeOfEvent returns the time in the id of an event. The id is a UUID version 7, which begins with 48 bits of
// milliseconds.
func timeOfEvent(id string) (time.Time, bool) {
	digits := strings.ReplaceAll(id, "-", "")
	if len(digits) != 32 || digits[12] != '7' {
		return time.Time{}, false
	}
	milliseconds, err := strconv.ParseInt(digits[:12], 16, 64)
	return time.UnixMilli(milliseconds), err == nil
}
