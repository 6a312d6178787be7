// An application whose queries sqlc has written: authors and their books in the
// database of its argument.
package main

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	_ "github.com/mattn/go-sqlite3"

	"github.com/keyway-go/keyway/internal/autoloadtest/sqlcapp/db"
)

//go:embed schema.sql
var schema string

func main() {
	if err := run(context.Background(), os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, dsn string) error {
	pool, err := sql.Open("sqlite3", dsn)
	if err != nil {
		return err
	}
	defer pool.Close()
	if _, err := pool.ExecContext(ctx, schema); err != nil {
		return err
	}
	queries, err := db.Prepare(ctx, pool)
	if err != nil {
		return err
	}
	defer queries.Close()
	born := time.Date(1815, 12, 10, 0, 0, 0, 0, time.UTC)
	ada, err := queries.CreateAuthor(ctx, db.CreateAuthorParams{Name: "Ada", Born: born})
	if err != nil {
		return err
	}
	fmt.Println("created", ada.ID, ada.Name, ada.Bio.Valid, ada.Born.UTC().Format(time.DateOnly))
	_, err = queries.CreateAuthor(ctx, db.CreateAuthorParams{Name: "Ada", Bio: sql.NullString{String: "again", Valid: true}, Born: born})
	fmt.Println("twice:", err)
	for title, price := range map[string]float64{"Notes": 12.5, "Letters": 30} {
		if _, err := queries.CreateBook(ctx, db.CreateBookParams{AuthorID: ada.ID, Title: title, Price: price}); err != nil {
			return err
		}
	}
	if err := undone(ctx, pool, queries, ada.ID); err != nil {
		return err
	}
	raised, err := queries.RaisePrices(ctx, 20)
	if err != nil {
		return err
	}
	books, err := queries.ListBooks(ctx, []string{"Ada", "Grace"})
	if err != nil {
		return err
	}
	_, err = queries.GetAuthor(ctx, "Grace")
	fmt.Println("raised", raised, books, errors.Is(err, sql.ErrNoRows))
	return nil
}

// undone deletes the author in a transaction that is rolled back.
func undone(ctx context.Context, pool *sql.DB, queries *db.Queries, id int64) error {
	tx, err := pool.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := queries.WithTx(tx).DeleteAuthor(ctx, id); err != nil {
		return err
	}
	_, err = queries.WithTx(tx).GetAuthor(ctx, "Ada")
	fmt.Println("gone within:", errors.Is(err, sql.ErrNoRows))
	return nil
}
