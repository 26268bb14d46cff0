// Package load sends an open-loop load to a web site, as strangers do, and sums up
// how long they waited. It stays on the loopback interface and in the lab's own
// networks, but for sites whose owner says that they are his.
package load
