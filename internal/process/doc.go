// Package process says what is known of the processes of a host at one moment,
// whichever way it was learned: from the proc file system or from the kernel's
// own lists. It holds values only.
package process
