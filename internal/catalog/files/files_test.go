package files_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/catalog/files"
	"github.com/otel-culprit/culprit/internal/fact"
)

func TestDefaultRecognises(t *testing.T) {
	c, err := files.Default()
	require.NoError(t, err)

	tests := []struct {
		command, args string // args separated by blanks; empty if not delivered
		tool          string // empty if it is no backup
		byArgs        bool
	}{
		{"restic", "restic -r /srv/repo backup /home", "restic", true},
		{"restic", "restic -r /srv/repo snapshots", "", false},
		{"restic", "", "restic", false},
		{"borg", "/usr/bin/python3 /usr/bin/borg create ::a /home", "borg", true},
		{"borg", "/usr/bin/python3 /usr/bin/borg prune", "", false},
		{"rsync", "rsync -a /srv/ backup:/srv/", "rsync", true},
		{"rsync", "/usr/bin/rsync --daemon --no-detach", "", false},
		{"rclone", "rclone sync /srv remote:srv", "rclone", true},
		{"rclone", "rclone lsd remote:", "", false},
		{"tar", "tar -cf - /srv", "tar", true},
		{"tar", "tar czf a.tgz /srv", "tar", true},
		{"tar", "tar --create --file a.tar /srv", "tar", true},
		{"tar", "tar -xf a.tar", "", false},
		{"tar", "tar xzf a.tgz", "", false},
		{"tar", "tar --extract --file a.tar", "", false},
		{"tar", "tar -tvf a.tar", "", false},
		{"pg_dump", "/usr/lib/postgresql/15/bin/pg_dump shop", "pg_dump", true},
		{"pg_dump", "", "pg_dump", true},
		{"dd", "dd if=/dev/zero of=/tmp/a", "", false},
		{"dd", "dd if=/dev/sda of=/srv/sda.img", "dd", true},
		{"nginx", "nginx: worker process", "", false},
	}
	for _, tt := range tests {
		t.Run(tt.command+" "+tt.args, func(t *testing.T) {
			got, ok := c.Recognise(fact.Described{Command: tt.command, Args: strings.Fields(tt.args)})
			require.Equal(t, tt.tool != "", ok)
			if ok {
				require.Equal(t, tt.tool, got.Tool.Name)
				require.Equal(t, tt.byArgs, got.ByArgs)
			}
		})
	}
}

func TestParseNamesTheMistake(t *testing.T) {
	tests := []struct{ yaml, want string }{
		{"tools: [{name: a, comands: [a]}]", "comands"},
		{"tools: [{name: a}]", "tools[0]: name and commands must be set"},
		{"tools: [{name: a, commands: [a-very-long-command]}]", "longer than the 15 bytes"},
		{"tools: [{name: a, commands: [a], args: '('}]", "not a regular expression"},
		{"tools: [{name: a, commands: [a], remedies: [{resource: io, title: t}]}]", "resource must be cpu, disk, network or memory"},
		{"signs: [{name: a}]", "signs[0] (a): name, pattern, term and sentence must be set"},
		{"signs: [{name: a, pattern: '(?i)abc', term: t, sentence: s, from: [any], about: host, cause: lock}]", "a fixed text of at least 3 bytes"},
		{"signs: [{name: a, pattern: 'abc|x', term: t, sentence: s, from: [any], about: host, cause: lock}]", "every alternative must contain a fixed text"},
		{"signs: [{name: a, pattern: abc, term: t, sentence: s}]", "from must be set"},
		{"signs: [{name: a, pattern: abc, term: t, sentence: s, from: [any]}]", "about must be host, service or unit"},
		{"signs: [{name: a, pattern: abc, term: t, sentence: s, from: [any], about: host, cause: fate}]", "cause must be one of contention"},
		{"signs: [{name: a, pattern: abc, term: t, sentence: s, from: [any], about: host, cause: lock, resource: io}]", "resource must be one of cpu"},
		{"tools: [{name: a, commands: [a], messages: [{pattern: done, tells: bye}]}]", "tool a: messages[0]: tells must be start, phase or end"},
		{"tools: [{name: a, commands: [a], messages: [{pattern: done, tells: end, outcome: fine}]}]", "outcome must be ok, partial or failed"},
		{"tools: [{name: a, commands: [a], messages: [{pattern: done, tells: phase}]}]", "the message tells nothing"},
	}
	for _, tt := range tests {
		_, err := files.Parse([]byte(tt.yaml))
		require.ErrorContains(t, err, tt.want)
	}
}
