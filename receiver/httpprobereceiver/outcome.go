package httpprobereceiver

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strconv"
	"syscall"
)

// Values of error.type that are not a status code. They are few and fixed, for
// they become series.
const (
	errTimeout     = "timeout"
	errRefused     = "connection_refused"
	errReset       = "connection_reset"
	errUnreachable = "unreachable"
	errName        = "name_not_resolved"
	errCertificate = "server_certificate_invalid"
	errClosed      = "connection_closed"
	errCrowded     = "too_many_unfinished" // not sent: max_in_flight were waiting
	errOther       = "_OTHER"
)

// outcome tells how a request ended; requests with the same outcome share a
// histogram.
type outcome struct {
	status    int    // zero if no answer came
	errorType string // empty if it went well
}

// outcomeOf names how a request ended that got status (or none) and err.
func outcomeOf(status int, err error) outcome {
	o := outcome{status: status}
	switch {
	case err != nil:
		o.errorType = errorType(err)
	case status >= 400:
		o.errorType = strconv.Itoa(status)
	}
	return o
}

func errorType(err error) string {
	var (
		name    *net.DNSError
		cert    *tls.CertificateVerificationError
		timeout net.Error
	)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return errTimeout
	case errors.As(err, &name) && !name.IsTimeout:
		return errName
	case errors.As(err, &timeout) && timeout.Timeout():
		return errTimeout
	case errors.Is(err, syscall.ECONNREFUSED):
		return errRefused
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return errReset
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return errUnreachable
	case errors.As(err, &cert):
		return errCertificate
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errClosed
	default:
		return errOther
	}
}
