package loader

import (
	"fmt"
	"sync"
)

// Resident is what this process has loaded of driver files and cannot unload.
type Resident struct {
	// Files is their number, including those whose init functions failed.
	Files int
	// Size is that of the files together, in bytes. What they take of memory is
	// usually less, and is shared with other processes as long as nothing
	// writes to it.
	Size int64
}

var resident struct {
	sync.Mutex
	sizes map[string]int64 // by hash
}

// Residents tells what this process has loaded, by whichever loader. It is safe
// for concurrent use.
func Residents() Resident {
	resident.Lock()
	defer resident.Unlock()
	return residents()
}

func residents() (r Resident) {
	for _, size := range resident.sizes {
		r.Files++
		r.Size += size
	}
	return r
}

// room takes the place of a file that is about to be opened, or refuses.
func room(cfg Config, sum string, size int64) error {
	resident.Lock()
	defer resident.Unlock()
	if _, ok := resident.sizes[sum]; ok {
		return nil
	}
	r := residents()
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
	if resident.sizes == nil {
		resident.sizes = map[string]int64{}
	}
	resident.sizes[sum] = size
	return nil
}
