package victim

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sys/unix"

	"github.com/otel-culprit/culprit/internal/lab/child"
	"github.com/otel-culprit/culprit/internal/stage"
)

const (
	databaseName = "shop"
	databaseUser = "lab"
	nobody       = 65534

	everyPostgres   = "/usr/lib/postgresql/*/bin" // where Debian has its servers
	postgresPackage = "postgresql"
)

// DatabaseConfig describes a PostgreSQL server.
type DatabaseConfig struct {
	Dir  string // for its data, such as one on a disk of the lab; made
	Temp string // for its socket, log and password, which exists
	Port int    // on the loopback interface
	// Items is how many rows the table item has, each of about 1 KiB.
	Items int
	CPUs  unix.CPUSet
	Wrap  func(argv []string) []string // for the server alone
}

// Database is a PostgreSQL server.
type Database struct {
	*child.Process
	cfg      DatabaseConfig
	sockets  string // directory
	password string
}

// StartDatabase makes a database with its table, whose pages are not cached
// then, and serves it.
func StartDatabase(ctx context.Context, cfg DatabaseConfig) (*Database, error) {
	server, initdb, err := FindPostgres()
	if err != nil {
		return nil, err
	}
	db := &Database{cfg: cfg, sockets: filepath.Join(cfg.Temp, "socket"), password: rand.Text()}
	as, err := db.makeDirectories()
	if err != nil {
		return nil, err
	}
	if err = db.initialise(ctx, initdb, as); err != nil {
		return nil, err
	}
	db.Process, err = child.Start(ctx, child.Spec{
		Name: "PostgreSQL",
		Argv: []string{
			server, "-D", cfg.Dir, "-k", db.sockets, "-p", strconv.Itoa(cfg.Port),
			"-c", "listen_addresses=127.0.0.1", "-c", "shared_buffers=32MB", "-c", "jit=off",
			"-c", "autovacuum=off", // it would come at its own times
		},
		// It must take its shared memory with it, and need not tidy its data.
		Ends: unix.SIGQUIT,
		Home: cfg.Temp, Dir: cfg.Dir, As: as, CPUs: cfg.CPUs, Wrap: cfg.Wrap, Log: filepath.Join(cfg.Temp, "postgres.log"),
	})
	if err != nil {
		return nil, err
	}
	if err := db.fill(ctx); err != nil {
		db.Stop()
		return nil, err
	}
	return db, nil
}

// FindPostgres finds the programs of a server.
func FindPostgres() (server, initdb string, err error) {
	server, noServer := findServer("postgres", everyPostgres, postgresPackage)
	initdb, noInitdb := findServer("initdb", everyPostgres, postgresPackage)
	return server, initdb, errors.Join(noServer, noInitdb)
}

// makeDirectories makes those of the server, and finds the account that may
// have them: PostgreSQL refuses to be run by root. It is nil for our own.
func (db *Database) makeDirectories() (*child.Account, error) {
	for _, dir := range []string{db.cfg.Dir, db.sockets} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("make a directory of the database: %w", err)
		}
	}
	if os.Geteuid() != 0 {
		return nil, nil //nolint:nilnil // documented
	}
	if _, err := exec.LookPath("setpriv"); err != nil {
		return nil, errors.New("PostgreSQL refuses to be run by root, and setpriv, which would change the user, is not in the PATH: install util-linux")
	}
	as := databaseAccount()
	for _, dir := range []string{db.cfg.Dir, db.sockets} {
		if err := os.Chown(dir, int(as.UID), int(as.GID)); err != nil {
			return nil, fmt.Errorf("give a directory to the database's user: %w", err)
		}
		if err := mustLetPass(dir); err != nil {
			return nil, err
		}
	}
	return as, nil
}

// databaseAccount is postgres where there is one, or else nobody.
func databaseAccount() *child.Account {
	as := child.Account{UID: nobody, GID: nobody}
	if u, err := user.Lookup("postgres"); err == nil {
		uid, noUID := strconv.ParseUint(u.Uid, 10, 32)
		gid, noGID := strconv.ParseUint(u.Gid, 10, 32)
		if noUID == nil && noGID == nil {
			as = child.Account{UID: uint32(uid), GID: uint32(gid)}
		}
	}
	return &as
}

// mustLetPass refuses a directory to which others cannot get.
func mustLetPass(dir string) error {
	for at := filepath.Dir(dir); ; at = filepath.Dir(at) {
		info, err := os.Stat(at)
		if err != nil {
			return fmt.Errorf("look at the way to %s: %w", dir, err)
		}
		if info.Mode()&1 == 0 {
			return fmt.Errorf("the database's user cannot get to %s, because %s lets only its owner pass: chmod o+x %s", dir, at, at)
		}
		if at == filepath.Dir(at) {
			return nil
		}
	}
}

// initialise runs initdb to its end.
func (db *Database) initialise(ctx context.Context, initdb string, as *child.Account) error {
	secret := filepath.Join(db.sockets, "password")
	if err := os.WriteFile(secret, []byte(db.password), 0o600); err != nil {
		return fmt.Errorf("write the password of the database: %w", err)
	}
	if as != nil {
		if err := os.Chown(secret, int(as.UID), int(as.GID)); err != nil {
			return fmt.Errorf("give the password to the database's user: %w", err)
		}
	}
	c, err := child.Start(ctx, child.Spec{
		Name: "initdb",
		Argv: []string{
			initdb, "-D", db.cfg.Dir, "-U", databaseUser, "--pwfile", secret,
			// Only the server's user and root get to the socket.
			"--auth-local=trust", "--auth-host=scram-sha-256", "--no-sync", "--locale=C", "-E", "UTF8",
		},
		Home: db.cfg.Temp, Dir: db.sockets, As: as, CPUs: db.cfg.CPUs, Log: filepath.Join(db.cfg.Temp, "initdb.log"),
	})
	if err != nil {
		return err
	}
	<-c.Done()
	if c.Err() != nil {
		return c.Failure()
	}
	return nil
}

// table is that of the database. The parts of a row's filler differ, so that it
// compresses about as text does.
const table = `
CREATE TABLE item (id bigint PRIMARY KEY, stock int NOT NULL, filler text NOT NULL) WITH (fillfactor = 80);
INSERT INTO item SELECT g, 1000, repeat(md5(g::text) || md5((-g)::text) || ' the item is in stock and can be sent today ', 8) FROM generate_series(1, %d) g;`

// fill makes the table.
func (db *Database) fill(ctx context.Context) error {
	if err := db.Ready(ctx, 30*time.Second, func(ctx context.Context) error { return db.execute(ctx, "postgres", "SELECT 1") }); err != nil {
		return err
	}
	if err := db.execute(ctx, "postgres", "CREATE DATABASE "+databaseName); err != nil {
		return fmt.Errorf("make the database: %w", err)
	}
	for _, statements := range []string{
		fmt.Sprintf(table, db.cfg.Items),
		"VACUUM (FREEZE, ANALYZE)", // else whoever reads a row first writes it again
		"CHECKPOINT",
	} {
		if err := db.execute(ctx, databaseName, statements); err != nil {
			return fmt.Errorf("make the table of the database: %w", err)
		}
	}
	if err := syncStorage(db.cfg.Dir); err != nil {
		return err
	}
	return stage.Evict(ctx, db.Tables())
}

// Tables is the directory in which tables are.
func (db *Database) Tables() string { return filepath.Join(db.cfg.Dir, "base") }

// execute runs statements that give nothing.
func (db *Database) execute(ctx context.Context, name, statements string) error {
	conn, err := pgx.Connect(ctx, db.url(name))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }() // nothing is under way
	_, err = conn.PgConn().Exec(ctx, statements).ReadAll()
	return err
}

// url is how the lab itself reaches a database: by the socket, which is the same
// in all networks.
func (db *Database) url(name string) string {
	how := url.Values{"host": {db.sockets}, "port": {strconv.Itoa(db.cfg.Port)}}
	u := url.URL{Scheme: "postgres", User: url.User(databaseUser), Path: "/" + name, RawQuery: how.Encode()}
	return u.String()
}

// Env is for clients such as pg_dump and the site. Those that cannot get to the
// socket set PGHOST to 127.0.0.1.
func (db *Database) Env() []string {
	return []string{
		"PGHOST=" + db.sockets, "PGPORT=" + strconv.Itoa(db.cfg.Port),
		"PGUSER=" + databaseUser, "PGDATABASE=" + databaseName, "PGPASSWORD=" + db.password,
	}
}
