package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/keyway-go/keyway/contract"
	"github.com/keyway-go/keyway/loader"
)

// service answers requests. It knows nothing of versions: its *sql.DB goes with
// the current one.
type service struct {
	drivers     *loader.SQL
	db          *sql.DB
	log         *slog.Logger
	placeholder func(n int) string
}

// note is what the service keeps.
type note struct {
	ID      string    `json:"id"`
	Body    string    `json:"body"`
	Created time.Time `json:"created"`
}

// driverInfo is a version of a driver in /drivers.
type driverInfo struct {
	Name        string       `json:"name"`
	Version     string       `json:"version"`
	State       loader.State `json:"state"`
	Connections int          `json:"connections"`
	Error       string       `json:"error,omitempty"`
}

const maxBody = 64 << 10

// errNotFound is a note that is not there.
var errNotFound = errors.New("there is no such note")

func (s *service) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", s.healthz)
	mux.HandleFunc("GET /drivers", s.listDrivers)
	mux.HandleFunc("POST /notes", s.create)
	mux.HandleFunc("GET /notes", s.list)
	mux.HandleFunc("GET /notes/{id}", s.get)
	return mux
}

func (s *service) healthz(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	if err := s.db.PingContext(ctx); err != nil {
		s.log.ErrorContext(r.Context(), "database does not answer", "error", err)
		http.Error(w, "the database does not answer", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}

func (s *service) listDrivers(w http.ResponseWriter, r *http.Request) {
	infos := []driverInfo{}
	for _, d := range s.drivers.Drivers() {
		info := driverInfo{Name: d.Name, Version: d.Version, State: d.State, Connections: d.Connections}
		if d.Err != nil {
			info.Error = d.Err.Error()
		}
		infos = append(infos, info)
	}
	s.answer(w, r, http.StatusOK, infos, nil)
}

func (s *service) create(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, "a note of at most 64 KiB is wanted", http.StatusRequestEntityTooLarge)
		return
	}
	n := note{ID: rand.Text(), Body: string(body), Created: time.Now().UTC()}
	_, err = s.db.ExecContext(r.Context(),
		fmt.Sprintf("INSERT INTO notes (id, body, created) VALUES (%s, %s, %s)", s.placeholder(1), s.placeholder(2), s.placeholder(3)),
		n.ID, n.Body, n.Created.Format(time.RFC3339Nano))
	s.answer(w, r, http.StatusCreated, n, err)
}

func (s *service) get(w http.ResponseWriter, r *http.Request) {
	row := s.db.QueryRowContext(r.Context(), "SELECT id, body, created FROM notes WHERE id = "+s.placeholder(1), r.PathValue("id"))
	n, err := scan(row)
	if errors.Is(err, sql.ErrNoRows) {
		err = errNotFound
	}
	s.answer(w, r, http.StatusOK, n, err)
}

// list answers with the latest notes.
func (s *service) list(w http.ResponseWriter, r *http.Request) {
	rows, err := s.db.QueryContext(r.Context(), "SELECT id, body, created FROM notes ORDER BY created DESC, id LIMIT 100")
	if err != nil {
		s.answer(w, r, 0, nil, err)
		return
	}
	defer rows.Close()
	notes := []note{}
	for rows.Next() {
		n, err := scan(rows)
		if err != nil {
			s.answer(w, r, 0, nil, err)
			return
		}
		notes = append(notes, n)
	}
	s.answer(w, r, http.StatusOK, notes, rows.Err())
}

func scan(row interface{ Scan(...any) error }) (note, error) {
	var n note
	var created string
	if err := row.Scan(&n.ID, &n.Body, &created); err != nil {
		return n, err
	}
	var err error
	n.Created, err = time.Parse(time.RFC3339Nano, created)
	return n, err
}

// answer writes a value as JSON, or an error. What the database said is for the
// log only.
func (s *service) answer(w http.ResponseWriter, r *http.Request, status int, v any, err error) {
	switch {
	case errors.Is(err, errNotFound):
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	case err != nil:
		s.log.ErrorContext(r.Context(), "request failed", "method", r.Method, "path", r.URL.Path, "error", err)
		http.Error(w, "the database failed", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // or the client is gone
}

// placeholderOf returns how a driver spells its n-th placeholder.
func placeholderOf(d contract.Driver) func(n int) string {
	if dialect, ok := d.(contract.Dialect); ok {
		return dialect.Placeholder
	}
	return func(int) string { return "?" }
}
