// Package journal keeps facts in files, so that a night can be replayed through
// the engine as it was.
//
// A journal is text, one JSON object per line:
//
//	{"culprit_journal":1}
//	{"kind":"tick","fact":{"at":1795246860000000000}}
//	{"kind":"use","fact":{"at":1795246861000000000,"over":1000000000,"host":"web1","pid":4711,"start":1795246000120,"amounts":{"cpu":0.25}}}
//
// The first line is a header; more headers may follow, because a file that is
// opened again continues and because journals may be joined with cat. Times are
// Unix nanoseconds, durations nanoseconds, the start of a process Unix
// milliseconds, everything else as in package fact. What is zero is left out, and
// an amount that is left out is not known (NaN). A journal may be compressed with
// gzip.
//
// A line with "carried":true is for who reads nothing before it: what an engine had
// learned in a part of the journal that may be gone. Others do not get it.
//
// Pack makes a compressed journal for others to read, without what strangers'
// processes ran.
//
// What is promised: a fact that was written is read back equal, apart from an
// empty list, which becomes nil, -0, which may become 0, and bytes that are not
// UTF-8, which become U+FFFD; facts come back in the order in which they were
// written; a journal whose writer died yields all its whole facts before the
// error. What is not: a fact with an infinite number or with a time outside the
// years 1678 to 2262 is refused by Write, and nothing is forced to the disk (no
// fsync).
package journal
