package doctor

import (
	"context"
	"fmt"
	"os"
)

// resource is what setrlimit limits.
type resource int

const (
	limitFiles resource = iota
	limitMemory
	limitFileSize
	limitProcesses
)

// below judges a limit: ulimit is the letter of the shell's command, unit how
// many of the system's units one of the shell's is.
func (p *patient) below(r resource, name string, wanted, unit uint64, ulimit, breaks string) Finding {
	soft, limited := p.limit(r)
	if !limited {
		return Finding{Found: "no limit of " + name}
	}
	found := fmt.Sprintf("%s limited to %d", name, soft)
	if soft >= wanted {
		return Finding{Found: found}
	}
	return Finding{Status: Warn, Found: found, Breaks: breaks, Remedy: fmt.Sprintf("ulimit -S%s %d, or more", ulimit, wanted/unit)}
}

func openFiles(_ context.Context, p *patient) Finding {
	// A Go program raises the limit itself, as far as it may.
	return p.below(limitFiles, "open files", 1024, 1, "n", "programs with many connections, and parallel builds")
}

func memory(_ context.Context, p *patient) Finding {
	return p.below(limitMemory, "memory in bytes", 4<<30, 1024, "v", "builds of large drivers, and programs that load them")
}

func fileSize(_ context.Context, p *patient) Finding {
	// A shell counts in 512 or in 1024 bytes; the larger number serves both.
	return p.below(limitFileSize, "file size in bytes", 256<<20, 512, "f", "builds and private copies of large drivers, and databases in files")
}

func processes(_ context.Context, p *patient) Finding {
	if os.Geteuid() == 0 {
		return Finding{Found: "no limit of processes for root"}
	}
	return p.below(limitProcesses, "processes and threads", 256, 1, "u", "builds, and drivercheck test, which runs a process for each check")
}
