package domain

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestDropletPrefixes(t *testing.T) {
	t.Parallel()
	for text, good := range map[string]bool{"droplet": true, "d": true, "web-": true, "a1": true,
		strings.Repeat("a", 40): true,
		"":                      false, "1a": false, "-a": false, "Web": false, "a_b": false, "a.b": false,
		"a/b": false, "ä": false, strings.Repeat("a", 41): false} {
		_, err := ParseDropletPrefix(text)
		require.Equal(t, good, err == nil, text)
	}
}

func TestDropletNames(t *testing.T) {
	t.Parallel()
	prefix := DropletPrefix("web")
	require.Equal(t, DropletName("web07"), prefix.Name(7))
	require.Equal(t, EntryKey("droplets/web07/ssh"), prefix.Name(7).SSHKeyEntry())
	for number := 1; number <= MaxDroplets; number++ {
		got, ok := prefix.Parse(string(prefix.Name(number)))
		require.True(t, ok)
		require.Equal(t, number, got)
		_, err := ParseEntryKey(string(prefix.Name(number).SSHKeyEntry()))
		require.NoError(t, err)
	}
	for _, name := range []string{"", "web", "web0", "web00", "web1", "web001", "web100", "web7a", "web+1", "web-1",
		"web 1", "Web01", "xweb01", "web01 ", "/web01",
		"web0１", "web٠١"} {
		_, ok := prefix.Parse(name)
		require.False(t, ok, name)
	}
}

func TestFreeNumbers(t *testing.T) {
	t.Parallel()
	prefix := DropletPrefix("web")
	require.Len(t, prefix.Free(nil), 99)
	free := prefix.Free([]Droplet{{Name: "web01"}, {Name: "web03"}, {Name: "other02"}})
	require.Equal(t, []int{2, 4, 5}, free[:3])
	require.Equal(t, 99, free[len(free)-1])
	var all []Droplet
	for number := 1; number <= MaxDroplets; number++ {
		all = append(all, Droplet{Name: prefix.Name(number)})
	}
	require.Empty(t, prefix.Free(all))
}

func TestNoUsableNumber(t *testing.T) {
	t.Parallel()
	prefix := DropletPrefix("web")
	for want, numbers := range map[string][2][]int{
		"all numbers from web01 to web99 are taken":                                   {},
		"443NN (NN is the number of the droplet) of web07; all other names are taken": {{7}, nil},
		"of web01 to web03, web05, web98 to web99; all other names are taken":         {{1, 2, 3, 5, 98, 99}, nil},
		"no number from web01 to web99 can be used: other programs or":                {{1, 2}, {3}},

		"of web01 to web02; web04, web06 to web08 could not be tried within the time limit": {{1, 2}, {4, 6, 7, 8}},
	} {
		refusal := prefix.NoUsableNumber(numbers[0], numbers[1])
		require.Contains(t, refusal.Message, want)
		require.Equal(t, "no_droplet_number", refusal.Code)
	}
}

func TestDropletPorts(t *testing.T) {
	t.Parallel()
	for number, want := range map[int]string{1: "22 :2201, 80 127.0.0.1:8001, 443 127.0.0.1:44301",
		99: "22 :2299, 80 127.0.0.1:8099, 443 127.0.0.1:44399"} {
		var got []string
		for _, port := range DropletPorts(number) {
			require.Equal(t, "tcp", port.Protocol)
			got = append(got, fmt.Sprintf("%d %s:%d", port.Port, port.HostIP, port.HostPort))
		}
		require.Equal(t, want, strings.Join(got, ", "))
	}
}

func TestShortIdentifiers(t *testing.T) {
	t.Parallel()
	require.Equal(t, "0123456789ab", Droplet{Container: "0123456789abcdef"}.ShortID())
}

func TestDropletsAreFoundByTheirWholeName(t *testing.T) {
	t.Parallel()
	at := time.Unix(1, 0)
	list := []Droplet{{Name: "web01", CreatedAt: at}, {Name: "web02", CreatedAt: at.Add(time.Second)},
		{Name: "web03", CreatedAt: at}}
	NewestFirst(list)
	require.Equal(t, []DropletName{"web02", "web01", "web03"}, []DropletName{list[0].Name, list[1].Name, list[2].Name})
	found, err := FindDroplet(list, "web03")
	require.NoError(t, err)
	require.Equal(t, DropletName("web03"), found.Name)
	for _, name := range []string{"", "web", "web0", "web04", "WEB01", "web01 "} {
		_, err := FindDroplet(list, name)
		require.ErrorIs(t, err, ErrDropletNotFound, name)
	}
}

func TestChooseImage(t *testing.T) {
	t.Parallel()
	for asked, want := range map[string]string{"": "a:1", "a:1": "a:1", "b": "b", "c": "", "a": "", "A:1": "",
		"a:1,b": ""} {
		got, err := ChooseImage(asked, []string{"a:1", "b"})
		require.Equal(t, want, got)
		require.Equal(t, want == "", errors.Is(err, Invalid))
	}
	_, err := ChooseImage("", nil)
	require.Error(t, err)
}

func TestOrphanedRecords(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	require.False(t, DropletRecord{}.Orphaned(now), "complete")
	require.False(t, NewDropletRecord(DropletID{1}, now, now.Add(time.Second)).Orphaned(now))
	require.True(t, NewDropletRecord(DropletID{1}, now, now.Add(time.Second)).Orphaned(now.Add(time.Second)))
}
