package oldlang

import (
	"embed"
	"io/fs"
	"strings"

	"example.com/oldlang/internal/secret"
)

//go:embed files
var files embed.FS

// Embedded returns names and texts of a directory.
func Embedded() string {
	var b strings.Builder
	err := fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := files.ReadFile(path)
		b.WriteString(path + "=" + strings.TrimSpace(string(text)) + " ")
		return err
	})
	if err != nil {
		return err.Error()
	}
	return b.String()
}

func Secret() string { return secret.Text }
