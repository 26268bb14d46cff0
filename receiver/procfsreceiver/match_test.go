package procfsreceiver

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCompile(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{
		{"nginx", "nginx", true},
		{"nginx", "nginx2", false},
		{"php-fpm*", "php-fpm8.2", true},
		{"/system.slice/*", "/system.slice/a.slice/b.service", true},
		{"/system.slice/*", "/user.slice/x", false},
		{"/^php-fpm[78]/", "php-fpm8.2", true},
		{"/^php-fpm[78]/", "xphp-fpm8", false},
		{"/a", "/a", true},
		{"*", "(sd-pam)\n", true},
	} {
		f, err := compile(c.pattern)
		require.NoError(t, err, c.pattern)
		require.Equal(t, c.want, f(c.text), "%q fits %q", c.pattern, c.text)
	}
	for _, bad := range []string{"", "/(/", "a["} {
		_, err := compile(bad)
		require.Error(t, err, bad)
	}
	require.Nil(t, anyOf(nil))
}

func TestUsers(t *testing.T) {
	root := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(root, "etc"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(root, "etc", "passwd"),
		[]byte("root:x:0:0:root:/root:/bin/sh\nwww-data:x:33:33::/:/\nbroken\nwww-x:x:nan:1::/:/\n"), 0o600))
	require.Equal(t, map[int64]bool{33: true, 1000: true}, hostRoot(root).users([]string{"www-*", "1000"}))
	require.Empty(t, hostRoot(root).users(nil))
	require.NoError(t, hostRoot(root).knows("keep", Match{Users: []string{"root", "www-*", "nobody*", "12"}}))
	require.ErrorContains(t, hostRoot(root).knows("include", Match{Users: []string{"root", "wwwdata"}}), `include::users[1]: there is no user "wwwdata" in `)
	require.Equal(t, []int64{nobodyAtAll}, hostRoot(root).patterns(Match{Users: []string{"nosuch*"}}).Users)
	require.Equal(t, map[int64]bool{7: true}, hostRoot("/does/not/exist").users([]string{"7", "root"}))
}
