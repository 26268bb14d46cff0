package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestFailureOf(t *testing.T) {
	site := httptest.NewServer(http.NotFoundHandler())
	site.Close()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, site.URL, http.NoBody)
	require.NoError(t, err)
	refused := Get(http.DefaultClient, req)
	require.Error(t, refused)
	tests := []struct {
		err  error
		want string
	}{
		{nil, ""},
		{refused, "connection refused"},
		{&url.Error{Op: "Get", URL: "http://127.0.0.1/", Err: context.DeadlineExceeded}, "no answer in time"},
		{&url.Error{Op: "Get", URL: "http://127.0.0.1/", Err: io.EOF}, "EOF"},
		{fmt.Errorf("read: %w", syscall.ECONNRESET), "connection reset by peer"},
		{errors.New("127.0.0.1:80 answered 500 Internal Server Error"), "127.0.0.1:80 answered 500 Internal Server Error"},
	}
	for _, tt := range tests {
		require.Equal(t, tt.want, failureOf(tt.err))
	}
}

func TestCommonestFailure(t *testing.T) {
	at := func(s int) time.Time { return time.Unix(int64(s), 0) }
	failed := func(s int, why string) visit { return visit{planned: at(s), failed: true, why: why} }
	l := &Load{visits: []visit{failed(0, "b"), failed(1, "b"), {planned: at(2)}, failed(3, "a"), failed(4, "b"), failed(5, "a")}}
	why, times := l.CommonestFailure(at(0), at(9))
	require.Equal(t, "b", why)
	require.Equal(t, 3, times)
	why, times = l.CommonestFailure(at(3), at(9))
	require.Equal(t, "a", why)
	require.Equal(t, 2, times)
	why, times = l.CommonestFailure(at(6), at(9))
	require.Empty(t, why)
	require.Zero(t, times)
}
