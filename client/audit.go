package client

import (
	"context"
	"iter"
	"net/url"
	"strconv"
	"time"
)

// Event is a line of the record. Texts are "" where the event has none.
type Event struct {
	ID     string    `json:"id"`
	At     time.Time `json:"at"`
	Action string    `json:"action"`
	// Outcome is "success", "denied", "throttled", "tampered" or "failed", of what a droplet host did not do.
	Outcome      string `json:"outcome"`
	Actor        string `json:"actor,omitempty"`
	ActorID      string `json:"actorId,omitempty"`
	CredentialID string `json:"credentialId,omitempty"`
	Box          string `json:"box,omitempty"`
	BoxID        string `json:"boxId,omitempty"`
	Key          string `json:"key,omitempty"`
	Target       string `json:"target,omitempty"`
	RequestID    string `json:"requestId,omitempty"`
	Address      string `json:"address,omitempty"`
}

// EventFilter narrows the record down; nil takes all of it.
type EventFilter struct {
	// Limit is how many events a page has, from 1 to 1000; 0 is the server's choice, 100.
	Limit int
	// Before is the Next of the page before.
	Before string
	// Action is one action, such as "entry.read"; User is one user.
	Action, User string
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

// EventPage is one page of the record, newest first.
type EventPage struct {
	Events []Event `json:"events"`
	// Next is the Before of the page after this one; "" when this is the last.
	Next string `json:"next"`
}

// ListEvents returns a page of the record. Admins may.
func (c *Client) ListEvents(ctx context.Context, filter *EventFilter) (*EventPage, error) {
	return c.eventPage(ctx, get("/audit"), filter)
}

// ListBoxEvents returns a page of the record of one box. Its boxadmins and admins may.
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

// Events goes through the record from its newest event, or from filter.Before, page by page. It ends after an error.
func (c *Client) Events(ctx context.Context, filter *EventFilter) iter.Seq2[Event, error] {
	return events(filter, func(page *EventFilter) (*EventPage, error) { return c.ListEvents(ctx, page) })
}

// BoxEvents is Events for one box.
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
				return // or what calls itself a server would send the same page for ever
			}
			at.Before = page.Next
		}
	}
}
