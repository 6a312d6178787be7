package dbserver

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// guardScript reads the text of secretFile, up to an empty line, from its
// standard input: in the environment it would stay, for "ps" to show. It makes
// the directory and the data in it, starts the server, and lives until the input
// ends, which happens when this process closes the other end of the pipe or ends
// itself. Then it ends the server and removes the directory. The guard is in a
// session of its own, so that a signal for this process's group, from a terminal
// say, does not end it too early.
//
// A signal is sent until it works, because a shell's background command ignores
// SIGQUIT before it has said otherwise. The subshell around echo is for SIGPIPE
// when nobody is there to read.
//
// What goes wrong before there is a log, and that the server has ended by
// itself, the guard says on its standard output. It leaves the directory, with
// its log, until its input ends.
const guardScript = `
dir=$1 signal=$2 init=$3 server=$4
exec 2>&1
while IFS= read -r line || exit 1; do
	[ "$line" ] || break
	secret="$secret$line
"
done
umask 077
mkdir "$dir" && cd "$dir" || exit 1
printf %s "$secret" >secret
unset line secret
exec 3<&0 4>&1 </dev/null >>log 2>&1
if eval "$init" 3<&- 4>&-; then
	eval "exec $server" 3<&- 4>&- &
	pid=$!
	{
		read -r _ <&3
		while kill -s "$signal" "$pid"; do
			sleep 0.1
			tries=x$tries
			[ ${#tries} -lt 80 ] || signal=KILL
		done
	} 4>&- &
	watcher=$!
	wait "$pid"
	said="the server ended with code $?"
	kill "$watcher"
else
	said="making the data failed with code $?"
fi
(echo "$said" >&4)
exec 4>&-
read -r _ <&3
cd /
rm -rf "$dir"
`

// guard is the running guard of a server.
type guard struct {
	cmd   *exec.Cmd
	input io.Closer   // its end ends the guard
	early chan string // what the guard said; closed when it has said it all
}

// secretFile holds what must not outlast the start.
const secretFile = "secret" // as in guardScript

// launch starts the guard, and by it the server.
func (p plan) launch(s *Server, a *account) (*guard, error) {
	cmd := exec.Command("/bin/sh", "-c", guardScript, "keyway-dbserver", s.dir, p.signal, shellWords(p.init(s)), shellWords(p.server(s)))
	cmd.Dir = "/"
	// LC_ALL makes messages what this package expects. HOME is not that of
	// another user.
	cmd.Env = []string{"PATH=" + os.Getenv("PATH") + ":/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "TZ=UTC", "HOME=" + s.dir, "TMPDIR=" + s.dir}
	a.become(cmd)
	input, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	g := &guard{cmd: cmd, input: input, early: make(chan string, 1)}
	go func() {
		defer close(g.early)
		if line, _ := bufio.NewReader(output).ReadString('\n'); line != "" {
			g.early <- strings.TrimSpace(line)
		}
	}()
	if _, err := io.WriteString(input, strings.TrimSpace(p.secret(s))+"\n\n"); err != nil {
		return nil, errors.Join(fmt.Errorf("its guard does not read: %w", err), g.end(s.dir))
	}
	return g, nil
}

// ready waits until the server answers.
func (g *guard) ready(ctx context.Context, answers func(context.Context) bool) error {
	for !answers(ctx) {
		select {
		case said, ok := <-g.early:
			if !ok {
				said = "its guard ended"
			}
			return errors.New(said)
		case <-ctx.Done():
			return fmt.Errorf("gave up waiting: %w", ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}

// endTime is how long ending may take: PostgreSQL gives its processes five
// seconds before it kills them.
const endTime = 20 * time.Second

// end makes the guard end the server and waits for it.
func (g *guard) end(dir string) error {
	_ = g.input.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range g.early { // Wait is not to be called before everything is read
		}
		_ = g.cmd.Wait()
	}()
	var late error
	select {
	case <-done:
	case <-time.After(endTime):
		late = fmt.Errorf("the server did not end within %v and was killed", endTime)
		killSession(g.cmd.Process.Pid)
	}
	return errors.Join(late, os.RemoveAll(dir))
}

// logTail returns the last lines of the log, after a line break.
func logTail(dir string) string {
	const most = 2000
	text, err := os.ReadFile(filepath.Join(dir, "log"))
	if err != nil {
		return "\n(there is no log: " + err.Error() + ")"
	}
	tail := strings.TrimSpace(string(text))
	if len(tail) > most {
		tail = tail[len(tail)-most:]
		if _, whole, found := strings.Cut(tail, "\n"); found {
			tail = whole
		}
	}
	return "\n" + tail
}

// shellWords quotes a command for a shell.
func shellWords(command []string) string {
	words := make([]string, len(command))
	for i, w := range command {
		words[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
	}
	return strings.Join(words, " ")
}
