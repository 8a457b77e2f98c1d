//go:build e2e && linux

package e2e

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/tests/engine"
	"github.com/lockbox-go/lockbox/tests/pgtest"
)

// testPortsInUse adds droplets while other programs and containers use some ports. A new droplet must not get a number
// whose ports are in use. The other containers must remain unchanged.
func testPortsInUse(t *testing.T, y *yard) {
	y.root.box("ports")
	y.root.share("ports", "manager", "createEntry")
	y.root.put("ports", "droplets/droplet01/ssh", `"older"`).expect(201)
	for _, address := range []string{"127.0.0.1:8001", "0.0.0.0:2203", "127.0.0.1:44304"} {
		listener, err := net.Listen("tcp4", address)
		require.NoError(t, err)
		t.Cleanup(func() { _ = listener.Close() })
	}
	y.engine.Docker("run", "-d", "--name", "foreign", "-p", "127.0.0.1:8005:80", engine.Image)
	y.engine.Docker("create", "--name", "droplet07", engine.Image)
	foreign := func() string {
		format := "{{.Id}} {{.State.Status}} {{.State.StartedAt}}"
		return y.engine.Docker("inspect", "-f", format, "foreign", "droplet07")
	}
	before := foreign()
	for _, want := range []string{"droplet02", "droplet06", "droplet08"} {
		require.Equal(t, want, y.manager.droplets("POST", "/add", `{"box":"ports"}`, sealed...)[0].Name)
	}
	require.Equal(t, before, foreign())
	require.Len(t, strings.Fields(y.engine.Docker("ps", "-aq")), 5, "nothing is left of the numbers that were tried")
	y.root.get("ports", "droplets%2Fdroplet01%2Fssh").expect(200).is(`"older"`)
	require.Equal(t, 4, number(t, y.db, `SELECT count(*) FROM entry_versions v JOIN boxes b ON b.id = v.box_id
		WHERE b.name = 'ports'`))
	require.Equal(t, 3, number(t, y.db, `SELECT count(*) FROM droplets`))

	// A stopped droplet cannot start if another program uses its port. The error contains the engine's reason.
	y.manager.droplets("PATCH", "/stop/droplet02", nil)
	taker, err := net.Listen("tcp4", "127.0.0.1:8002")
	require.NoError(t, err)
	got := y.manager.do("PATCH", "/api/v1/droplet/start/droplet02", nil).expect(400)
	require.Regexp(t, "port is already allocated|address already in use", got.string("error"))
	require.NoError(t, taker.Close())
	y.manager.droplets("PATCH", "/start/droplet02", nil)

	// No number is left.
	for i := 1; i <= 99; i++ {
		if i > 8 {
			y.engine.Docker("create", "--name", fmt.Sprintf("droplet%02d", i), engine.Image)
		}
	}
	y.manager.do("POST", "/api/v1/droplet/add", nil).fails(400, 900,
		"Error response from daemon: no number from droplet01 to droplet99 can be used: other programs or containers "+
			"on the host occupy port 22NN, 80NN or 443NN (NN is the number of the droplet) of droplet01, droplet03 "+
			"to droplet05; all other names are taken")
}

// testTwoInstallations runs two Lockbox installations on one Docker engine. They must never use the same droplet
// number, even if the prefixes of their droplet names differ.
func testTwoInstallations(t *testing.T, y *yard) {
	for _, prefix := range []string{"droplet", "web"} {
		other := openYardOn(t, y.engine, pgtest.New(t), "DROPLET_PREFIX="+prefix)
		y.manager.droplets("POST", "/add", nil)
		require.Equal(t, []string{prefix + "02"}, namesOf(other.manager.droplets("POST", "/add", nil)))
		require.Equal(t, "droplet03", y.manager.droplets("POST", "/add", nil)[0].Name)
		require.Equal(t, []string{prefix + "04", prefix + "02"}, namesOf(other.manager.droplets("POST", "/add", nil)))
		require.Equal(t, []string{"droplet03", "droplet01"}, namesOf(y.viewer.droplets("GET", "/list", nil)))
		other.manager.do("DELETE", "/api/v1/droplet/delete/droplet01", nil).
			fails(400, 900, "Error response from daemon: No such container: droplet01")
		require.Empty(t, other.errors())
		y.clear()
	}
}
