// Package workload turns scans of processes into workloads: what a person would
// stop or throttle, such as a systemd unit, a container, a cron job or a job of a
// shell, with what each of them used. It is pure: scans and times go in, values
// come out.
//
// # What is guaranteed
//
//   - Each process belongs to one workload at a time, or to none if the filter
//     leaves it out; then what it used is counted nowhere.
//   - Totals never go back, and never hold a NaN or a negative number, whatever
//     the counters of processes do. A counter that went back is a new base.
//   - What was used before the first scan is not counted, nor what a process
//     used before it could first be read if it had started long before that.
//   - A source that tells ends (Snapshot.Exited): after each scan the totals of
//     all workloads together are what was really used, and each workload has its
//     own.
//   - A source that only looks now and then: the same holds for the sum of all
//     that a readable process waited for. What children used that were too
//     short-lived to be seen goes to the workload of who waited for them, and
//     what was not seen of the last moments of others to their own workloads.
//     What was not seen of a process whose parent ignores its end is lost.
//   - The series of a Selection together rise by what all candidates used.
//
// # What is not guaranteed
//
//   - A process inherits bytes into the same counters that hold its own, and who
//     adopted an orphan is not told. So when a parent and its children end
//     between two scans, or when things end while a scan is on its way, one jump
//     may be taken for another. The error is bounded by what those processes
//     used. The bytes that a service manager itself moves in a scan in which it
//     waits for others are counted as theirs.
//   - Without events, a child with a smaller PID than its parent that is waited
//     for between its own reading and that of its parent is counted twice.
//   - Events must be read after the counters: an end that the counters of the
//     parent know of, but Exited tells a scan later, is counted twice if the
//     process was never listed.
package workload
