package load

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestVisitorsStayWhereTheyMay(t *testing.T) {
	tests := []struct{ url, owned, want string }{
		{"http://127.0.0.1:8080", "", ""},
		{"http://localhost/shop", "", ""},
		{"https://[::1]:8443/", "", ""},
		{"http://shop.example.com/", "shop.example.com", ""},
		{"http://192.0.2.1:80/", "", `http://192.0.2.1:80/ is not on the loopback interface: if it is a test server of your own, say so with --i-own-this 192.0.2.1`},
		{"http://127.0.0.1.example.com/", "", "is not on the loopback interface"},
		{"http://shop.example.com/", "example.com", `--i-own-this names "example.com": they must be the same`},
		{"http://shop.example.com:80/", "shop.example.com:80", "they must be the same"},
		{"ftp://127.0.0.1/", "", "the URL must be such as http://127.0.0.1:8080/"},
		{"127.0.0.1", "", "the URL must be such as http://127.0.0.1:8080/"},
	}
	for _, tt := range tests {
		_, err := NewVisitors(Visitors{URL: tt.url, Owned: tt.owned})
		if tt.want == "" {
			require.NoError(t, err, tt.url)
			continue
		}
		require.ErrorContains(t, err, tt.want, tt.url)
	}
	_, err := NewVisitors(Visitors{URL: "http://127.0.0.1", Paths: []string{"/", "//example.com/"}})
	require.ErrorContains(t, err, `path 2: "//example.com/" must begin with a slash and name no host`)
}

func TestANameThatLeadsElsewhereIsRefused(t *testing.T) {
	require.NoError(t, loopbackOnly("tcp", "127.0.0.1:80", nil))
	require.NoError(t, loopbackOnly("tcp", "[::1]:80", nil))
	require.ErrorContains(t, loopbackOnly("tcp", "192.0.2.1:80", nil), "192.0.2.1:80 is not on the loopback interface")
	require.ErrorContains(t, loopbackOnly("tcp", "elsewhere", nil), "where a connection goes")
}

func TestVisitorsAskForPathsAndFollowNoRedirects(t *testing.T) {
	var mu sync.Mutex
	asked := map[string]int{}
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked[r.URL.RequestURI()]++
		mu.Unlock()
		if r.URL.Path == "/gone" {
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		}
	}))
	defer site.Close()
	l, err := NewVisitors(Visitors{URL: strings.Replace(site.URL, "127.0.0.1", "localhost", 1), Paths: []string{"/a?b=1", "/gone"}, Seed: 3})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.Run(ctx)
	}()
	began := time.Now()
	l.SetRate(ctx, 500)
	require.Eventually(t, func() bool {
		mu.Lock()
		defer mu.Unlock()
		return asked["/a?b=1"] > 5 && asked["/gone"] > 5
	}, 10*time.Second, 10*time.Millisecond)
	cancel()
	<-done
	took, failed := l.Took(began, time.Now())
	mu.Lock()
	defer mu.Unlock()
	require.Len(t, asked, 2, "no redirect was followed")
	require.GreaterOrEqual(t, len(took), asked["/a?b=1"]+asked["/gone"])
	require.GreaterOrEqual(t, failed, asked["/gone"], "a redirect is no page")
	none, _ := l.Took(began.Add(-time.Second), began.Add(-2*time.Second))
	require.Empty(t, none)
}

func TestForgottenRequestsMayEndLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, began, stop := runLoad(t, func(time.Time) (time.Duration, int) { return 15 * time.Second, http.StatusOK }, 10*time.Second, 20)
		defer stop()
		all, _ := l.Took(began, time.Now())
		middle := began.Add(5 * time.Second)
		later, _ := l.Took(middle, time.Now())
		require.Greater(t, len(all), len(later))
		l.Forget(middle)
		kept, _ := l.Took(began, began.Add(10*time.Second))
		require.Equal(t, later, kept)
		time.Sleep(20 * time.Second) // of the bubble: all of these end
		ended := l.Stats(began, began.Add(10*time.Second))
		require.Equal(t, len(later), ended.Offered)
		require.Zero(t, ended.Unfinished)
		require.InDelta(t, 15_000, ended.P50, 1)
	})
}
