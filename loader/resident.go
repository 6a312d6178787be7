package loader

import "fmt"

// Resident is what this process has loaded of driver files and cannot unload.
type Resident struct {
	// Files is their number, including those whose init functions failed.
	Files int
	// Size is that of the files together, in bytes. What they take of memory is
	// usually less, and is shared with other processes as long as nothing
	// writes to it.
	Size int64
}

// Residents tells what this process has loaded, by whichever loader. It is safe
// for concurrent use.
func Residents() Resident {
	openings.Lock()
	defer openings.Unlock()
	r := Resident{Files: len(openings.files)}
	for _, size := range openings.sizes {
		r.Size += size
	}
	return r
}

// room refuses a file that there is no place for in this process.
func room(cfg Config, size int64) error {
	r := Residents()
	refuse := func(wanted, found, field string) error {
		return &LoadError{Stage: StageOpen, Wanted: wanted, Found: found,
			Remedy: "restart the program, since Go cannot unload what is loaded, or raise loader.Config." + field}
	}
	if most := cfg.MaxResident; most > 0 && r.Files >= most {
		return refuse(fmt.Sprintf("at most %d driver files in the process", most), fmt.Sprintf("%d that are loaded", r.Files), "MaxResident")
	}
	if most := cfg.MaxResidentSize; most > 0 && r.Size+size > most {
		return refuse(fmt.Sprintf("at most %d bytes of driver files in the process", most),
			fmt.Sprintf("%d that are loaded, and %d of this one", r.Size, size), "MaxResidentSize")
	}
	return nil
}
