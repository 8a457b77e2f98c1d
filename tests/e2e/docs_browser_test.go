//go:build e2e

package e2e

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/adapters/httpapi"
)

// browser is a Chromium with one tab, its console messages and the requests that it sent.
type browser struct {
	t   *testing.T
	tab context.Context

	mu       sync.Mutex
	said     []string
	requests []string
}

// startBrowser starts a Chromium and stops it when the test ends.
func startBrowser(t *testing.T) *browser {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("no-proxy-server", true),
		chromedp.WSURLReadTimeout(time.Minute))
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	b := &browser{t: t}
	var closeTab context.CancelFunc
	b.tab, closeTab = chromedp.NewContext(allocator, chromedp.WithListener(b.record))
	t.Cleanup(closeTab)
	// The first call with b.tab starts Chromium. Chromium stops when the context of this call ends, so this context
	// must not have a timeout.
	require.NoError(t, chromedp.Do(b.tab, chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		_, err := cdp.Call(ctx, tab, network.Enable, network.EnableParams{})
		_, also := cdp.Call(ctx, tab, log.Enable, cdp.Empty{})
		return errors.Join(err, also)
	})), "is Chromium there? scripts/provide chromium")
	return b
}

func (b *browser) record(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch event := event.(type) {
	case *network.EventRequestWillBeSent:
		b.requests = append(b.requests, event.Request.URL)
	case *log.EventEntryAdded:
		b.said = append(b.said, event.Entry.Text)
	case *runtime.EventConsoleAPICalled:
		b.said = append(b.said, string(event.Type))
	case *runtime.EventExceptionThrown:
		b.said = append(b.said, event.ExceptionDetails.Text)
	}
}

// heard returns the console messages and the requested URLs.
func (b *browser) heard() (said, requests []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.said, b.requests
}

// The do method executes actions. It fails the test if the actions take longer than a minute.
func (b *browser) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.tab, time.Minute)
	defer cancel()
	require.NoError(b.t, chromedp.Do(ctx, actions...))
}

// ask evaluates an expression in the page. If the result is a promise, ask waits for its value.
func ask[T any](b *browser, expression string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.tab, time.Minute)
	defer cancel()
	answer, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	require.NoError(b.t, err)
	return answer
}

// dark is an action that sets the browser's preferred color scheme to dark.
func dark(ctx context.Context, tab *chromedp.Target) (chromedp.Void, error) {
	_, err := cdp.Call(ctx, tab, emulation.SetEmulatedMedia,
		emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme",
			Value: "dark"}}})
	return chromedp.Void{}, err
}

// follow clicks each link of the navigation. For each link, it returns the vertical position of the target operation
// after the click. The value 0 is the top of the window, and 1 is the bottom.
const follow = `(async () => {
	const found = {};
	for (const link of document.querySelectorAll('nav li a')) {
		link.click();
		await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
		const target = document.querySelector(':target');
		if (!target || '#' + target.id !== link.hash) { found[link.hash] = -1; continue; }
		const line = target.querySelector('.request');
		found[line.querySelector('.method').textContent + ' ' + line.querySelector('code').textContent] =
			target.getBoundingClientRect().top / innerHeight;
	}
	return found;
})()`

// TestPageInABrowser checks the rendered page.
func TestPageInABrowser(t *testing.T) {
	t.Parallel()
	s := start(t)
	b := startBrowser(t)
	b.do(chromedp.EmulateViewport(1280, 800), chromedp.Navigate(s.url+"/docs"),
		chromedp.WaitVisible(chromedp.CSS("main")))

	places := ask[map[string]float64](b, follow)
	parameter := regexp.MustCompile(`:(\w+)`)
	wanted := make(map[string]bool)
	for _, route := range httpapi.Routes() {
		wanted[route.Method+" "+parameter.ReplaceAllString(route.Path, "{$1}")] = true
	}
	for _, path := range httpapi.ServerPaths() {
		wanted["GET "+path] = true
	}
	for request := range wanted {
		require.Contains(t, places, request, "no link of the navigation leads to it")
	}
	for request, top := range places {
		require.True(t, wanted[request], "%s is on the page, and is no request", request)
		require.True(t, top >= 0 && top < 1, "%s is not on the screen: %v", request, top)
	}

	require.Equal(t, "rgb(255, 255, 255)", ask[string](b, `getComputedStyle(document.body).backgroundColor`))
	b.do(dark)
	require.Equal(t, "rgb(20, 24, 28)", ask[string](b, `getComputedStyle(document.body).backgroundColor`),
		"the style does not count")

	said, requests := b.heard()
	require.Empty(t, said, "the console has something to say")
	require.NotEmpty(t, requests)
	for _, url := range requests {
		require.True(t, strings.HasPrefix(url, s.url+"/docs") || strings.HasPrefix(url, "data:"),
			"the page asks for %s", url)
	}
}

// TestPageOnANarrowScreen verifies that the navigation is collapsed on a narrow screen. With all sections open, no
// element except code blocks may be wider than the screen.
func TestPageOnANarrowScreen(t *testing.T) {
	t.Parallel()
	s := start(t)
	b := startBrowser(t)
	b.do(chromedp.EmulateViewport(400, 800, chromedp.EmulateMobile), chromedp.Navigate(s.url+"/docs"),
		chromedp.WaitVisible(chromedp.CSS("main")))
	require.False(t, ask[bool](b, `document.querySelector('nav').checkVisibility()`))
	b.do(chromedp.Click(chromedp.CSS("label[for=menu]")), chromedp.WaitVisible(chromedp.CSS("nav")))
	require.Equal(t, 400, ask[int](b, `document.documentElement.scrollWidth`))
	b.do(chromedp.Click(chromedp.CSS("nav li a")))
	require.True(t, ask[bool](b, `document.querySelector('article:target').checkVisibility()`))
	require.Equal(t, 400, ask[int](b,
		`(document.querySelectorAll('details').forEach(d => d.open = true), document.documentElement.scrollWidth)`))
	require.Empty(t, ask[[]string](b, `[...document.querySelectorAll('main *')].filter(e => !e.closest('pre') &&
		e.getBoundingClientRect().right > 400.5).map(e => e.outerHTML.slice(0, 100))`), "these reach over the side")
}
