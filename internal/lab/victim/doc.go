// Package victim holds what suffers in an incident: a small web site, nginx in its
// place, a database and an upstream behind it, and the files that they serve and
// backups save. All listen on the loopback interface or in the lab's own networks.
package victim
