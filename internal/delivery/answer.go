package delivery

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	maxBody    = 4 << 20 // bytes of an answer that are read; more is an error
	maxExcerpt = 512     // bytes of an answer that go into an error
)

// StatusError is an answer that is not a success.
type StatusError struct {
	Method, URL string // the URL without a password
	Status      int
	Body        string        // the beginning of the answer
	RetryAfter  time.Duration // as the server wishes; zero if it said nothing
}

// Error names the request, the status and the beginning of the answer.
func (e *StatusError) Error() string {
	text := fmt.Sprintf("%s %s: %d %s", e.Method, e.URL, e.Status, http.StatusText(e.Status))
	if e.Body != "" {
		text += ": " + e.Body
	}
	return text
}

// Permanent tells whether the same request would get the same answer.
func (e *StatusError) Permanent() bool {
	switch e.Status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return false
	case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported:
		return true
	default:
		return e.Status < 500
	}
}

// Permanent tells whether it is pointless to send the same again. Whatever is
// not an answer, such as a refused connection, is not permanent.
func Permanent(err error) bool {
	status, ok := errors.AsType[*StatusError](err)
	return ok && status.Permanent()
}

// Status is the HTTP status of a failed request, or 0 if there was no answer.
func Status(err error) int {
	if status, ok := errors.AsType[*StatusError](err); ok {
		return status.Status
	}
	return 0
}

// Do sends the request and returns the body of a successful answer. The error
// of any other answer is a [StatusError].
func Do(client *http.Client, request *http.Request) ([]byte, error) {
	response, err := client.Do(request) //nolint:gosec // the operator chooses where to send
	if err != nil {
		return nil, err // names method and URL, without the password
	}
	defer response.Body.Close() //nolint:errcheck // it was only read
	if response.StatusCode/100 != 2 {
		return nil, statusError(request, response)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody+1))
	if err != nil {
		return nil, fmt.Errorf("%s %s: reading the answer: %w", request.Method, request.URL.Redacted(), err)
	}
	if len(body) > maxBody {
		return nil, fmt.Errorf("%s %s: the answer is longer than %d bytes", request.Method, request.URL.Redacted(), maxBody)
	}
	return body, nil
}

func statusError(request *http.Request, response *http.Response) *StatusError {
	// An answer that breaks off still has its status.
	body, _ := io.ReadAll(io.LimitReader(response.Body, 4*maxExcerpt))
	return &StatusError{
		Method:     request.Method,
		URL:        request.URL.Redacted(),
		Status:     response.StatusCode,
		Body:       Cut(strings.TrimSpace(string(body)), maxExcerpt),
		RetryAfter: retryAfter(response.Header, time.Now()),
	}
}

// retryAfter reads the header of that name, which holds seconds or a date.
func retryAfter(header http.Header, now time.Time) time.Duration {
	value := header.Get("Retry-After")
	if seconds, err := strconv.Atoi(value); err == nil {
		return max(time.Duration(min(seconds, 24*3600))*time.Second, 0)
	}
	if at, err := http.ParseTime(value); err == nil {
		return min(max(at.Sub(now), 0), 24*time.Hour)
	}
	return 0
}
