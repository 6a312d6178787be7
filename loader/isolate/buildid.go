package isolate

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"os"
	"strings"
)

// The build IDs that the linker is given: Go's, in the form that the go command
// gives it, and the GNU one. Both are replaced when there is a file.
var (
	goID  = []byte(strings.Join([]string{"keyway_buildid_to_be", "keyway_buildid_to_be", "keyway_buildid_to_be", "keyway_buildid_to_be"}, "/"))
	gnuID = []byte("keyway gnu build id.")
)

// buildID gives the linker build IDs that do not depend on directories, and has
// them made of the file's content once it is linked. The go command makes its
// own of the keys of its cache, where directories are; it leaves alone a file in
// which it does not find that.
func (c *call) buildID() {
	for i, arg := range c.args {
		if strings.HasPrefix(arg, "-buildid=") {
			c.args[i] = "-buildid=" + string(goID)
		}
	}
	c.args = append([]string{"-B=0x" + hex.EncodeToString(gnuID)}, c.args...)
	out, at := c.flag("-o")
	if at < 0 {
		return
	}
	c.after = func() error {
		content, err := os.ReadFile(out)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(content)
		part := base64.RawURLEncoding.EncodeToString(sum[:15])
		content = bytes.ReplaceAll(content, goID, []byte(strings.Join([]string{part, part, part, part}, "/")))
		content = bytes.ReplaceAll(content, gnuID, sum[:len(gnuID)])
		return os.WriteFile(out, content, 0o777)
	}
}
