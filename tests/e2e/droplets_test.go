//go:build e2e && linux

package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/lockbox-go/lockbox/tests/engine"
	"github.com/lockbox-go/lockbox/tests/pgtest"
)

// Tests with a Docker engine do not run in parallel, because every engine would publish the same ports on this machine.

// yard is a Lockbox server with its own Docker engine.
type yard struct {
	*server
	t       *testing.T
	engine  *engine.Engine
	root    client
	manager client
	viewer  client
}

func openYard(t *testing.T, settings ...string) *yard {
	t.Helper()
	e := engine.Start(t, engine.Bridge)
	e.BuildImages()
	return openYardOn(t, e, pgtest.New(t), settings...)
}

func openYardOn(t *testing.T, e *engine.Engine, database string, settings ...string) *yard {
	t.Helper()
	y := &yard{t: t, engine: e, server: startOn(t, database, yardSettings(e, settings...)...)}
	y.root = y.initialize()
	y.manager, y.viewer = y.root.inGroup("manager", "manager"), y.root.inGroup("viewer", "viewer")
	// This cleanup removes all containers before the engine stops. The ports of a removed container are free
	// immediately.
	t.Cleanup(y.clear)
	return y
}

func yardSettings(e *engine.Engine, settings ...string) []string {
	return append([]string{"DOCKER_HOST=" + e.Host, "DROPLET_MEMORY=64m", "DROPLET_CPUS=0.5",
		"DROPLET_IMAGES=" + strings.Join([]string{engine.Image, engine.StubbornImage, engine.FailingImage,
			engine.BrokenImage, "missing:1"}, ",")}, settings...)
}

// The clear method removes all containers and their records.
func (y *yard) clear() {
	y.t.Helper()
	run(y.t, y.db, `DELETE FROM droplets`)
	if containers := strings.Fields(y.engine.Docker("ps", "-aq")); len(containers) > 0 {
		y.engine.Docker(append([]string{"rm", "-f", "-v"}, containers...)...)
	}
}

// shownDroplet is a droplet in a response.
type shownDroplet struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Created string `json:"created"`
	Status  string `json:"status"`
	Ports   map[string]struct {
		Type string `json:"type"`
		From struct {
			IP   string `json:"ip"`
			Port int    `json:"port"`
		} `json:"from"`
	} `json:"ports"`
	PrivateKey string `json:"privateKey"`
}

func (c client) droplets(method, path string, body any, headers ...string) []shownDroplet {
	c.server.t.Helper()
	got := c.do(method, "/api/v1/droplet"+path, body, headers...).expect(200).isJSON()
	require.Equal(c.server.t, "no-store", got.Header.Get("Cache-Control"))
	return read[[]shownDroplet](got)
}

func namesOf(list []shownDroplet) []string {
	names := make([]string, len(list))
	for i, each := range list {
		names[i] = each.Name
	}
	return names
}

// The inside method returns a description of the environment inside a droplet. A program in the droplet sends the
// description over HTTP.
func (y *yard) inside(number int) (found struct {
	Hostname, AuthorizedKeys, Status, Mounts string
	Environ                                  []string
	Modes                                    map[string]string
}) {
	y.t.Helper()
	address := fmt.Sprintf("127.0.0.1:22%02d", number)
	var response *http.Response
	require.Eventually(y.t, func() (up bool) {
		var err error
		response, err = http.Get("http://" + address)
		return err == nil
	}, 10*time.Second, 50*time.Millisecond, address)
	defer response.Body.Close()
	require.NoError(y.t, json.NewDecoder(response.Body).Decode(&found))
	return found
}

// TestDroplets runs the tests of droplets against a real Docker engine.
func TestDroplets(t *testing.T) {
	y := openYard(t)
	for _, each := range []struct {
		name string
		test func(t *testing.T, y *yard)
	}{
		{"a life", testDropletLifecycle}, {"whose they are", testGroups},
		{"others cannot be touched", testOtherContainers},
		{"what the container is like", testContainerConfiguration}, {"credentials", testDropletCredentials},
		{"the entry goes with the droplet", testEntryIsDeletedWithDroplet},
		{"from a terminal", testDropletsFromTerminal},
		{"half-made ones are taken back", testFailedAdd}, {"deleted in the making", testDeletedDuringBuild},
		{"a testProgramIgnoresStop one is killed", testProgramIgnoresStop},
		{"the requester hangs up", testClientDisconnects}, {"ninety-nine", testNumbersExhausted},
		{"ports of others", testPortsInUse}, {"another installation", testTwoInstallations},
		{"an older entry", testFailedAddRestoresEntry}, {"a full log", testLogLimit},
	} {
		t.Run(each.name, func(t *testing.T) {
			here := *y
			here.t, here.root, here.manager, here.viewer = t, y.root.in(t), y.manager.in(t), y.viewer.in(t)
			defer here.clear()
			each.test(t, &here)
		})
	}
	require.Empty(t, y.errors())
}

// testDropletLifecycle adds, stops, starts and deletes a droplet. It checks every response, including the texts of
// errors.
func testDropletLifecycle(t *testing.T, y *yard) {
	y.viewer.do("GET", "/api/v1/droplet/list", nil).expect(200).is(`[]`)
	began := time.Now()
	list := y.manager.droplets("POST", "/add", nil)
	require.Len(t, list, 1)
	one := list[0]
	require.Regexp(t, `^[0-9a-f]{12}$`, one.ID)
	require.Equal(t, "droplet01", one.Name)
	require.Regexp(t, `^(Less than a second|\d seconds?) ago$`, one.Created)
	require.Regexp(t, `^Up \d seconds?$`, one.Status)
	if time.Since(began) < time.Second {
		require.Equal(t, "Up 1 second", one.Status)
	}
	require.Contains(t, one.PrivateKey, "BEGIN OPENSSH PRIVATE KEY")
	again := y.viewer.do("GET", "/api/v1/droplet/list", nil).expect(200)
	require.NotContains(t, string(again.Body), "privateKey", "shown once")
	ports, err := json.Marshal(read[[]map[string]any](again)[0]["ports"])
	require.NoError(t, err)
	require.JSONEq(t, `{"22":{"type":"tcp","from":{"ip":"0.0.0.0","port":2201}},
		"80":{"type":"tcp","from":{"ip":"127.0.0.1","port":8001}},
		"443":{"type":"tcp","from":{"ip":"127.0.0.1","port":44301}}}`, string(ports))
	keys := make([]string, 0, 5)
	for key := range read[[]map[string]any](again)[0] {
		keys = append(keys, key)
	}
	require.ElementsMatch(t, []string{"id", "name", "created", "status", "ports"}, keys)

	require.Equal(t, []string{"droplet02", "droplet01"}, namesOf(y.root.droplets("POST", "/add", `{}`)))
	list = y.manager.droplets("POST", "/add", `{"access_token":"`+y.manager.token+`"}`)
	require.Equal(t, []string{"droplet03", "droplet02", "droplet01"}, namesOf(list), "newest first")
	require.Empty(t, list[1].PrivateKey)

	list = y.manager.droplets("PATCH", "/stop/droplet02", nil)
	require.Equal(t, []string{"droplet03", "droplet02", "droplet01"}, namesOf(list))
	require.Regexp(t, `^Exited \(0\) (Less than a second|\d+ seconds?) ago$`, list[1].Status)
	require.Contains(t, string(y.viewer.do("GET", "/api/v1/droplet/list", nil).Body), `"ports":{}`)
	require.Equal(t, list[1].Status[:10], y.manager.droplets("PATCH", "/stop/droplet02", nil)[1].Status[:10],
		"stopped is stopped")
	list = y.manager.droplets("PATCH", "/start/droplet02", nil)
	require.Regexp(t, `^Up \d seconds?$`, list[1].Status)
	require.Equal(t, 2202, list[1].Ports["22"].From.Port)
	y.manager.droplets("PATCH", "/start/droplet02", nil) // starting a running droplet succeeds
	before := y.engine.Docker("inspect", "-f", "{{.State.StartedAt}}", "droplet02")
	y.manager.droplets("PATCH", "/restart/droplet02", nil)
	require.NotEqual(t, before, y.engine.Docker("inspect", "-f", "{{.State.StartedAt}}", "droplet02"))
	y.inside(2)

	require.Equal(t, []string{"droplet03", "droplet01"},
		namesOf(y.manager.droplets("DELETE", "/delete/droplet02", nil)))
	y.manager.do("DELETE", "/api/v1/droplet/delete/droplet02", nil).fails(400, 900,
		"Error response from daemon: No such container: droplet02")
	require.Equal(t, []string{"droplet02", "droplet03", "droplet01"}, namesOf(y.manager.droplets("POST", "/add", nil)),
		"the lowest free number")
	y.engine.Docker("rm", "-f", "droplet01")
	require.Equal(t, []string{"droplet02", "droplet03"}, namesOf(y.viewer.droplets("GET", "/list", nil)),
		"removed behind our back")
	for _, action := range []string{"droplet.add", "droplet.start", "droplet.stop", "droplet.restart",
		"droplet.delete"} {
		require.NotZero(t, number(t, y.db,
			`SELECT count(*) FROM events WHERE action = $1 AND outcome = 'success' AND target = 'droplet02'
			AND actor_name = 'manager'`, action), action)
	}
}

// testGroups verifies that viewers can list droplets, that managers can also change them, and that users without a
// group can do neither.
func testGroups(t *testing.T, y *yard) {
	y.manager.droplets("POST", "/add", nil)
	plain := y.root.user("plain")
	session := y.signIn("viewer", "viewer-password").in(t)
	for _, who := range []client{y.viewer, session} {
		require.Len(t, who.droplets("GET", "/list", nil), 1)
		for _, line := range dropletRequests[1:] {
			who.do(line[0], "/api/v1/droplet"+line[1], nil).fails(403, 912, "Access denied")
		}
	}
	plain.do("GET", "/api/v1/droplet/list", nil).fails(403, 912, "Access denied")
	require.Regexp(t, "^Up ", y.viewer.droplets("GET", "/list", nil)[0].Status, "nothing happened")
	for _, who := range []client{y.manager, y.root, y.signIn("manager", "manager-password").in(t)} {
		who.droplets("PATCH", "/stop/droplet01", nil)
		who.droplets("PATCH", "/start/droplet01", nil)
	}
	// The manager becomes a viewer. The next request to stop a droplet must be refused.
	y.root.do("PUT", "/users/manager", `{"group":"viewer"}`).expect(204)
	y.manager.do("PATCH", "/api/v1/droplet/stop/droplet01", nil).fails(403, 912, "Access denied")
	y.root.do("PUT", "/users/manager", `{"group":"manager"}`).expect(204)
}

// testOtherContainers tries every way to name a container that is not a droplet of this service.
func testOtherContainers(t *testing.T, y *yard) {
	mine := y.manager.droplets("POST", "/add", nil)[0]
	installation := y.engine.Docker("inspect", "-f", `{{index .Config.Labels "lockbox.installation"}}`, mine.Name)
	run := func(name string, options ...string) string {
		y.engine.Docker(append(append([]string{"run", "-d", "--name", name}, options...), engine.Image)...)
		return y.engine.Docker("inspect", "-f", "{{.Id}}", name)
	}
	foreign := map[string]string{
		// the name without the label
		"droplet02": run("droplet02"),
		// the label of another installation
		"droplet03":  run("droplet03", "--label", "lockbox.installation=00000000-0000-0000-0000-000000000000"),
		"db":         run("db", "--label", "lockbox.installation="+installation), // the label without the name
		"droplet1":   run("droplet1", "--label", "lockbox.installation="+installation),
		"droplet00":  run("droplet00", "--label", "lockbox.installation="+installation),
		"droplet":    run("droplet", "--label", "lockbox.installation="+installation),
		"xdroplet04": run("xdroplet04", "--label", "lockbox.installation="+installation),
		"droplet004": run("droplet004", "--label", "lockbox.installation="+installation),
	}
	require.Equal(t, []string{"droplet01"}, namesOf(y.viewer.droplets("GET", "/list", nil)))
	names := []string{"..", ".", "x", "dr", "droplet0", "droplet01x", "DROPLET01", " droplet01", "droplet01 ",
		"droplet01/", "/droplet01", "../droplet01",
		"droplet01/../db", "droplet01?force=true", "droplet01#", "droplet%30%31", "droplet*", "^droplet01$",
		"dröplet01", "\x00", "droplet01\n", "a\"b",
		mine.ID, y.engine.Docker("inspect", "-f", "{{.Id}}", "droplet01"), mine.ID[:3]}
	for name, id := range foreign {
		names = append(names, name, id, id[:12], id[:3])
	}
	for _, name := range names {
		for _, line := range [][2]string{{"PATCH", "start"}, {"PATCH", "stop"}, {"PATCH", "restart"},
			{"DELETE", "delete"}} {
			escaped := strings.ReplaceAll(url.PathEscape(name), ".", "%2E")
			y.manager.do(line[0], "/api/v1/droplet/"+line[1]+"/"+escaped, nil).
				fails(400, 900, "Error response from daemon: No such container: "+name)
		}
	}
	for _, path := range []string{"/stop/droplet01/../droplet02", "/stop/..", "/delete/..", "/stop/", "/stop",
		"/delete/droplet01/x", "/droplet01"} {
		y.raw("DELETE", "/api/v1/droplet"+path)
		y.raw("PATCH", "/api/v1/droplet"+path)
	}
	for name, id := range foreign {
		require.Equal(t, id+" true 0",
			y.engine.Docker("inspect", "-f", "{{.Id}} {{.State.Running}} {{.RestartCount}}", name))
	}
	require.Regexp(t, "^Up ", y.viewer.droplets("GET", "/list", nil)[0].Status)
	require.Equal(t, []string{"droplet04", "droplet01"}, namesOf(y.manager.droplets("POST", "/add", nil)),
		"names of others are taken")
}

// raw sends a path without normalisation. The request must change nothing.
func (y *yard) raw(method, path string) {
	y.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(y.url, "http://"))
	require.NoError(y.t, err)
	defer conn.Close()
	_, err = fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nConnection: close\r\n\r\n",
		method, path, y.manager.token)
	require.NoError(y.t, err)
	var status int
	_, err = fmt.Fscanf(conn, "HTTP/1.1 %d", &status)
	require.NoError(y.t, err)
	require.Contains(y.t, []int{400, 404}, status, "%s %s", method, path)
}

// testContainerConfiguration checks the configuration of a droplet's container with docker inspect and from inside the
// container.
func testContainerConfiguration(t *testing.T, y *yard) {
	made := y.manager.droplets("POST", "/add", nil)[0]
	var described []struct {
		HostConfig struct {
			Privileged                              bool
			CapAdd, CapDrop, SecurityOpt, Binds     []string
			Memory, MemorySwap, NanoCpus, PidsLimit int64
			Tmpfs                                   map[string]string
			RestartPolicy                           struct{ Name string }
			NetworkMode, PidMode, IpcMode, UTSMode  string
			Devices, Mounts                         []any
		}
		Config struct{ Labels map[string]string }
		Mounts []any
	}
	require.NoError(t, json.Unmarshal([]byte(y.engine.Docker("inspect", "droplet01")), &described))
	host := described[0].HostConfig
	require.False(t, host.Privileged)
	require.Equal(t, []string{"ALL"}, host.CapDrop)
	require.Equal(t, []string{"no-new-privileges"}, host.SecurityOpt)
	require.Empty(t, host.Binds)
	require.Empty(t, host.Devices)
	require.Empty(t, host.Mounts)
	require.Empty(t, described[0].Mounts)
	require.EqualValues(t, 64<<20, host.Memory)
	require.EqualValues(t, 64<<20, host.MemorySwap)
	require.EqualValues(t, 5e8, host.NanoCpus)
	require.EqualValues(t, 512, host.PidsLimit)
	require.Contains(t, host.Tmpfs, "/run")
	require.Equal(t, "unless-stopped", host.RestartPolicy.Name)
	for _, mode := range []string{host.NetworkMode, host.PidMode, host.IpcMode, host.UTSMode} {
		require.NotEqual(t, "host", mode)
	}
	require.Len(t, described[0].Config.Labels, 2)

	inside := y.inside(1)
	require.Equal(t, "droplet01", inside.Hostname)
	require.Equal(t, map[string]string{"/root": "drwx------", "/root/.ssh": "drwx------",
		"/root/.ssh/authorized_keys": "-rw-------"}, inside.Modes)
	require.Contains(t, inside.Mounts, "tmpfs /run tmpfs")
	require.Regexp(t, `(?m)^NoNewPrivs:\s+1$`, inside.Status)
	_, mask, _ := strings.Cut(inside.Status, "CapEff:\t")
	effective, err := strconv.ParseUint(mask[:16], 16, 64)
	require.NoError(t, err)
	const sysAdmin, netRaw, mknod, sysPtrace = 21, 13, 27, 19
	for _, capability := range []int{sysAdmin, netRaw, mknod, sysPtrace} {
		require.Zero(t, effective>>capability&1, capability)
	}
	signer, err := ssh.ParsePrivateKey([]byte(made.PrivateKey))
	require.NoError(t, err)
	public, comment, _, _, err := ssh.ParseAuthorizedKey([]byte(inside.AuthorizedKeys))
	require.NoError(t, err)
	require.Equal(t, signer.PublicKey().Marshal(), public.Marshal(), "the keys belong together")
	require.Equal(t, "droplet01", comment)
}
