// Command portable loads a driver file and prints how that went. It is built
// where there are no plugins.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/keyway-go/keyway/loader"
	_ "github.com/keyway-go/keyway/loader/files"
)

func main() {
	drivers, err := loader.New(loader.Config{})
	if err == nil {
		_, err = drivers.LoadFile(context.Background(), os.Args[1])
	}
	fmt.Println(err)
	var le *loader.LoadError
	fmt.Println(loader.Supported(), errors.As(err, &le) && le.Stage == loader.StageFit)
}
