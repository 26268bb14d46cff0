// Package picture draws an experiment as one page of HTML that needs nothing
// else: no network, no script, no font. What it shows of commands and messages is
// the user's own, and escaped.
package picture
