package victim

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAVisitIsOfAGoodPage(t *testing.T) {
	t.Parallel()
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/whole":
			_, _ = w.Write([]byte(strings.Repeat("x", 1<<20)))
		case "/cut":
			w.Header().Set("Content-Length", "1048576")
			_, _ = w.Write([]byte("x"))
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(site.Close)
	require.NoError(t, Visit(t.Context(), site.URL+"/whole"))
	require.ErrorContains(t, Visit(t.Context(), site.URL+"/cut"), "unexpected EOF")
	require.ErrorContains(t, Visit(t.Context(), site.URL+"/missing"), "answered 404 Not Found")
}
