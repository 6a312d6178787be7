package loader_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/keyway-go/keyway/loader"
	_ "github.com/keyway-go/keyway/loader/files"
)

func Example() {
	ctx := context.Background()
	drivers, err := loader.New(loader.Config{Dirs: []string{"/usr/lib/myapp/drivers"}})
	if err != nil {
		log.Fatal(err)
	}
	db, err := drivers.OpenDB(ctx, "sqlite", "file:app.db")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	// ... db is a *sql.DB
}

func ExampleLoadError() {
	drivers, err := loader.New(loader.Config{Dirs: []string{"/nonexistent"}})
	if err != nil {
		log.Fatal(err)
	}
	_, err = drivers.Load(context.Background(), "sqlite")
	var refused *loader.LoadError
	if errors.As(err, &refused) {
		fmt.Println("stage: ", refused.Stage)
		fmt.Println("wanted:", refused.Wanted)
		fmt.Println("found: ", refused.Found)
		fmt.Println("remedy:", refused.Remedy)
	}
	// Output:
	// stage:  find
	// wanted: sqlite.so or sqlite-v<version>.so
	// found:  no driver file in /nonexistent
	// remedy: copy the driver file into one of these directories
}
