package procscan

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestScrub(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		// Nothing to hide; | separates arguments.
		{"restic|backup|--tag|daily|/srv", "restic|backup|--tag|daily|/srv"},
		{"restic|-r|/mnt/x|--password-file=/etc/restic/pw|backup", "restic|-r|/mnt/x|--password-file=/etc/restic/pw|backup"},
		{"restic|--password-file|/etc/restic/pw", "restic|--password-file|/etc/restic/pw"},
		{"rsync|-a|--exclude=*.tmp|/srv/|backup@host:/srv", "rsync|-a|--exclude=*.tmp|/srv/|backup@host:/srv"},
		{"pg_dump|-Fc|-h|db|-p|5432|shop", "pg_dump|-Fc|-h|db|-p|5432|shop"},
		{"pg_dump|--no-password|shop", "pg_dump|--no-password|shop"},
		{"tar|czf|-|/home", "tar|czf|-|/home"},
		{"ssh|-p|22|host", "ssh|-p|22|host"},
		{"nginx: worker process", "nginx: worker process"},
		{"curl|https://host:8443/path", "curl|https://host:8443/path"},
		{"dd|if=/dev/sda|of=/x", "dd|if=/dev/sda|of=/x"},
		{"mysqldump|-p|shop", "mysqldump|-p|shop"}, // it asks
		{"mysqldump|--password|shop", "mysqldump|--password|shop"},
		{"git|clone|ssh://git@host/x", "git|clone|ssh://git@host/x"},
		{"x||y", "x||y"},

		// Options.
		{"tool|--password=hunter2|x", "tool|--password=***|x"},
		{"tool|--password|hunter2|x", "tool|--password|***|x"},
		{"tool|-password|-hunter2|x", "tool|-password|***|x"},
		{"tool|--api-key|hunter2", "tool|--api-key|***"},
		{"tool|--apiKey=hunter2", "tool|--apiKey=***"},
		{"tool|--auth-token=hunter2=|x", "tool|--auth-token=***|x"},
		{"tool|--Secret=a,b&c|x", "tool|--Secret=***|x"},
		{"tool|--passphrase|two words|x", "tool|--passphrase|***|x"},
		{"restic|--password-command=echo hunter2|backup", "restic|--password-command=***|backup"},
		{"openssl|enc|-pass|pass:hunter2", "openssl|enc|-pass|***"},
		{"openssl|rsa|-passin|pass:hunter2", "openssl|rsa|-passin|***"},
		{"--token", "--token"},

		// Options of one letter.
		{"mysqldump|-uroot|-phunter2|shop", "mysqldump|-uroot|-p***|shop"},
		{"/usr/bin/mariadb-dump|-phunter2", "/usr/bin/mariadb-dump|-p***"},
		{"nice|-n|19|mysqldump|-phunter2", "nice|-n|19|mysqldump|-p***"},
		{"xtrabackup|--backup|--password=hunter2", "xtrabackup|--backup|--password=***"},
		{"mongodump|-u|root|-p|hunter2|--out|/x", "mongodump|-u|root|-p|***|--out|/x"},
		{"sshpass|-phunter2|ssh|host", "sshpass|-p***|ssh|host"},
		{"7z|a|-phunter2|x.7z", "7z|a|-p***|x.7z"},
		{"zip|-P|hunter2|x.zip", "zip|-P|***|x.zip"},
		{"redis-cli|-a|hunter2|--rdb|x", "redis-cli|-a|***|--rdb|x"},
		{"curl|-u|me:hunter2|http://x", "curl|-u|me:***|http://x"},
		{"curl|-ume:hunter2|http://x", "curl|-ume:***|http://x"},
		{"curl|--user|me:hunter2|http://x", "curl|--user|me:***|http://x"},
		{"smbclient|-U|me%hunter2|//nas/x", "smbclient|-U|me%***|//nas/x"},

		// Variables.
		{"env|AWS_SECRET_ACCESS_KEY=hunter2|rclone|sync", "env|AWS_SECRET_ACCESS_KEY=***|rclone|sync"},
		{"env|PGPASSWORD=hunter2|pg_dump", "env|PGPASSWORD=***|pg_dump"},
		{"env|MYSQL_PWD=hunter2|mysqldump", "env|MYSQL_PWD=***|mysqldump"},
		{"env|PASS=two words|x", "env|PASS=***|x"},
		{"psql|host=x password=hunter2 dbname=y", "psql|host=x password=*** dbname=y"},

		// URLs and headers.
		{"restic|-r|rest:https://me:hunter2@nas:8000/x", "restic|-r|rest:https://me:***@nas:8000/x"},
		{"pg_dump|postgres://me:hun/ter@2@db/shop", "pg_dump|postgres://me:***@db/shop"},
		{"git|clone|https://hunter2@host/x", "git|clone|https://***@host/x"},
		{"curl|https://x/y?token=hunter2&z=1", "curl|https://x/y?token=***&z=1"},
		{"curl|https://x/y?a=1&sig=hunter2#f", "curl|https://x/y?a=1&sig=***#f"},
		{"curl|https://x/y?token=hunter2&api_key=hunter2", "curl|https://x/y?token=***&api_key=***"},
		{"curl|-H|Authorization: Bearer hunter2|x", "curl|-H|Authorization: ***|x"},
		{"curl|-HX-Auth-Token:hunter2|x", "curl|-HX-Auth-Token:***|x"},
		{"curl|-H|Cookie: a=hunter2; b=hunter2", "curl|-H|Cookie: ***"},
		{"curl|-d|{\"user\":\"me\",\"password\":\"hunter2\"}", "curl|-d|{\"user\":\"me\",\"password\":***"},
		{"tool|Bearer|hunter2", "tool|Bearer|***"},

		// Scripts.
		{"sh|-c|mysqldump -uroot -phunter2 shop | gzip -1 > /x", "sh|-c|mysqldump -uroot -p*** shop | gzip -1 > /x"},
		{"sh|-c|PGPASSWORD='hunter2 hunter2' pg_dump shop", "sh|-c|PGPASSWORD=*** pg_dump shop"},
		{"sh|-c|curl -H 'Authorization: Bearer hunter2' http://x", "sh|-c|curl -H 'Authorization: ***' http://x"},
		{"sh|-c|tool --password hunter2 && echo don't", "sh|-c|tool --password *** && echo don't"},
		{"bash|-c|a\n  export TOKEN=hunter2\n  b", "bash|-c|a\n  export TOKEN=***\n  b"},
	} {
		got := Scrub(strings.Split(strings.ReplaceAll(c.in, " | ", " \x01 "), "|"))
		want := strings.Split(strings.ReplaceAll(c.want, " | ", " \x01 "), "|")
		require.Equal(t, want, got)
	}
}

func TestScrubLeavesItsInputAlone(t *testing.T) {
	in := []string{"x", "--token=a"}
	Scrub(in)
	require.Equal(t, []string{"x", "--token=a"}, in)
	require.Empty(t, Scrub(nil))
}

func TestSplitArgs(t *testing.T) {
	for in, want := range map[string][]string{
		"":                       {},
		"a\x00b\x00":             {"a", "b"},
		"a\x00\x00b\x00":         {"a", "", "b"},
		"title of its own":       {"title of its own"},
		"title\x00\x00\x00\x00":  {"title"},
		"caf\xe9\x00":            {"caf\uFFFD"},
		strings.Repeat("x", 9e3): {},
		"a\x00--password=" + strings.Repeat("x", 9e3): {"a"},
	} {
		require.Equal(t, want, splitArgs([]byte(in)))
	}
	require.Len(t, splitArgs([]byte(strings.Repeat("a\x00", 1000))), maxArgs)
}

// A secret in one of the known places never comes out, whatever stands around it.
func FuzzScrub(f *testing.F) {
	f.Add("tool", "x", uint8(0))
	f.Add("mysqldump", "two words", uint8(1))
	f.Add("sh", "https://a:b@c", uint8(2))
	f.Add("curl", "Authorization:", uint8(3))
	f.Add("curl", "--token", uint8(4))
	const secret = "hunter2correcthorse"
	f.Fuzz(func(t *testing.T, program, other string, form uint8) {
		if strings.Contains(program+other, secret) {
			return
		}
		forms := []string{
			"--password=" + secret, "AWS_SECRET_ACCESS_KEY=" + secret, "https://me:" + secret + "@host/",
			"X-Token: " + secret, "https://host/?token=" + secret,
		}
		args := []string{program, other, forms[int(form)%len(forms)], other}
		out := Scrub(args)
		require.Len(t, out, len(args))
		require.NotContains(t, strings.Join(out, "\x00"), secret)
		require.Equal(t, out, Scrub(out), "what is scrubbed stays as it is")
	})
}
