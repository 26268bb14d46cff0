// Package stage makes what an incident needs of a host, and undoes it: file
// systems on devices of their own, slow or faulty ones, a network with a slow
// link, and control groups. It runs on Linux, and nearly all of it needs root;
// [Probe] tells what this host can do, and what to do about the rest.
//
// Guarantees:
//   - Each thing is written down in the run's ledger, and that is on disk, before
//     it is made. So [Clean] finds all of it after the run was killed.
//   - To undo is idempotent: a thing that does not exist is undone. What could
//     not be undone is told, stays in the ledger, and is tried again next time.
//   - To undo takes a bounded time. Paused disks are resumed first, then the
//     run's processes are killed, then everything goes, last first.
//   - A controller of version 2 that the run enabled is disabled again, unless
//     another group has got limits through it meanwhile.
//   - Clean leaves alone a run whose owner still lives, and what another user made.
//
// Not guaranteed: a mount namespace that was made during the run and takes no part
// in what is unmounted elsewhere (unshare --mount, some containers) keeps the disks
// that it has seen until it ends.
package stage
