// Package delivery holds what the exporters share in talking to a server that
// may be slow, down or of another opinion: what an answer means, how long a
// text may be, and a loop that brings the server to a wanted state.
package delivery
