// An application made with sqlx: a list of books in the database of its argument.
package main

import (
	"database/sql"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/jmoiron/sqlx"
	_ "github.com/mattn/go-sqlite3"
)

type book struct {
	ID     int64          `db:"id"`
	Title  string         `db:"title"`
	Pages  int            `db:"pages"`
	Lent   sql.NullString `db:"lent"`
	Bought time.Time      `db:"bought"`
	Cover  []byte         `db:"cover"`
}

func main() {
	if err := run(os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

func run(dsn string) error {
	db, err := sqlx.Connect("sqlite3", dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	db.MustExec(`CREATE TABLE books (id INTEGER PRIMARY KEY, title TEXT UNIQUE, pages INTEGER, lent TEXT, bought DATETIME, cover BLOB)`)
	bought := time.Date(2024, 2, 29, 12, 30, 0, 0, time.UTC)
	books := []book{
		{Title: "Emma", Pages: 474, Bought: bought, Cover: []byte{1, 2}},
		{Title: "Ulysses", Pages: 730, Bought: bought.AddDate(0, 0, 1), Lent: sql.NullString{String: "Ada", Valid: true}},
	}
	if _, err := db.NamedExec(`INSERT INTO books (title, pages, lent, bought, cover) VALUES (:title, :pages, :lent, :bought, :cover)`, books); err != nil {
		return err
	}
	_, err = db.Exec(db.Rebind(`INSERT INTO books (title) VALUES (?)`), "Emma")
	fmt.Println("twice:", err)

	tx, err := db.Beginx()
	if err != nil {
		return err
	}
	if _, err := tx.Exec(`DELETE FROM books`); err != nil {
		return err
	}
	if err := tx.Rollback(); err != nil {
		return err
	}

	var all []book
	if err := db.Select(&all, `SELECT * FROM books ORDER BY id`); err != nil {
		return err
	}
	for _, b := range all {
		fmt.Println(b.ID, b.Title, b.Pages, b.Lent, b.Bought.UTC().Format(time.RFC3339), b.Cover)
	}
	query, args, err := sqlx.In(`SELECT count(*) FROM books WHERE title IN (?)`, []string{"Emma", "Ulysses", "Dune"})
	if err != nil {
		return err
	}
	var n int
	if err := db.Get(&n, db.Rebind(query), args...); err != nil {
		return err
	}
	rows, err := db.Queryx(`SELECT title, pages FROM books ORDER BY pages DESC`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		m := map[string]any{}
		if err := rows.MapScan(m); err != nil {
			return err
		}
		fmt.Printf("%v %T\n", m, m["pages"])
	}
	fmt.Println("found", n)
	return rows.Err()
}
