package procfsreceiver

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/catalog/files"
	"github.com/otel-culprit/culprit/internal/process"
)

func watching(t *testing.T, keep Match) *watch {
	t.Helper()
	known, err := files.Default()
	require.NoError(t, err)
	return newWatch(known, newSelection(keep, ""))
}

func named(pid int64, name string, args ...string) *process.Process {
	return &process.Process{PID: pid, Start: time.Unix(pid, 0), Name: name, Args: args, Threads: 1, User: 1000}
}

func TestWhatMatters(t *testing.T) {
	backup, other := named(1, "restic", "restic", "backup", "/srv"), named(2, "restic", "restic", "snapshots")
	server, plain := named(3, "shop"), named(4, "shop")
	server.Network.Listening = true
	kept, user := named(5, "php-fpm8.2"), named(6, "sleep")
	unit := named(7, "worker")
	user.User, unit.Cgroup = 33, "/system.slice/queue.service"
	all := []*process.Process{backup, other, server, plain, kept, user, unit}

	w := watching(t, Match{Names: []string{"php-fpm*"}, Users: []string{"33"}, Units: []string{"queue.service"}})
	w.look(all)
	require.Equal(t, []*process.Process{backup, server, kept, user, unit}, w.important)
	require.True(t, w.matters(server))
	require.False(t, w.matters(plain))
	require.False(t, w.matters(named(99, "restic")), "it does not live")
	require.Same(t, plain, w.alive(4, plain.Start))
	require.Nil(t, w.alive(4, plain.Start.Add(time.Second)), "another process with that PID")

	// It executes something else; a server stops to listen; a process ends.
	backup.Name, backup.Args, backup.Described = "true", []string{"true"}, 1
	server.Network.Listening = false
	w.look(all[:5])
	require.Equal(t, []*process.Process{kept}, w.important)
	require.Nil(t, w.alive(7, unit.Start))
	require.Len(t, w.seen, 5)
}

func TestRelationsOfDumps(t *testing.T) {
	dump := named(10, "pg_dump", "pg_dump", "shop")
	backend, idle := named(20, "postgres"), named(21, "postgres")
	threads := named(30, "mariadbd")
	threads.Threads = 40
	sql := named(11, "mysqldump", "mysqldump", "shop")
	all := []*process.Process{dump, sql, backend, idle, threads}
	w := watching(t, Match{})
	asked := 0
	r := relations{peers: func(clients, servers []*process.Process) []relation {
		asked++
		require.Equal(t, []*process.Process{backend, idle, threads}, servers)
		var found []relation
		for _, client := range clients {
			if client == dump {
				found = append(found, relation{server: backend, client: dump})
			} else {
				found = append(found, relation{server: threads, client: sql, shared: true})
			}
		}
		return found
	}}
	at := time.Unix(1000, 0)
	want := []relation{{server: backend, client: dump}, {server: threads, client: sql, shared: true}}
	w.look(all)
	require.Equal(t, want, r.of(at, w, all))
	require.Equal(t, want, r.of(at.Add(time.Second), w, all))
	require.Equal(t, 1, asked, "not each second, and once for all")
	require.Equal(t, want, r.of(at.Add(5*time.Second), w, all))
	require.Equal(t, 2, asked)

	// The dump ended: its backend works for others again, at once.
	w.look(all[1:])
	require.Equal(t, want[1:], r.of(at.Add(6*time.Second), w, all[1:]))

	r.peers = func(_, _ []*process.Process) []relation { return nil }
	require.Empty(t, r.of(at.Add(time.Minute), w, all[1:]), "what cannot be asked is not known")

	w.look(all[2:])
	require.Empty(t, r.of(at.Add(2*time.Minute), w, all[2:]), "nobody makes a dump")
}
