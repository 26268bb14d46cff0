// Package child starts the lab's processes so that they end with it, and decides
// which CPUs they and the lab itself run on.
package child
