package soak

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Process is one that is watched.
type Process struct {
	Name string
	Role string
	// Admin is the address of the admin listener that tells of it, host:port;
	// empty where none does. Then PID says which process of this machine it is.
	Admin string
	// Instance is its label where the listener is that of its parent.
	Instance string
	PID      int
}

// Read reads processes that share an admin listener, or one that has none: a
// reading each, its Values by Table, or an error.
type Read func(ctx context.Context, of []Process) ([]Reading, []error)

const (
	// readPatience bounds one reading.
	readPatience = 2 * time.Second
	// readsAtOnce is few, so that reading is no load of its own.
	readsAtOnce = 4
)

// sample reads all processes each interval until ctx ends or so long has passed,
// and returns a track for each.
func sample(ctx context.Context, processes []Process, read Read, every, during time.Duration, progress func(atS float64)) []Track {
	tracks := make([]Track, len(processes))
	for i, p := range processes {
		tracks[i].Process = p
	}
	began := time.Now()
	tick := time.NewTicker(every)
	defer tick.Stop()
	end := time.NewTimer(during)
	defer end.Stop()
	pages := pagesOf(tracks)
	for {
		atS := time.Since(began).Seconds()
		readAll(ctx, pages, read, atS)
		progress(atS)
		select {
		case <-tick.C:
		case <-end.C:
			return tracks
		case <-ctx.Done():
			return tracks
		}
	}
}

// pagesOf groups tracks by the listener that tells of them, so that each is
// asked once.
func pagesOf(tracks []Track) [][]*Track {
	var pages [][]*Track
	at := map[string]int{}
	for i := range tracks {
		t := &tracks[i]
		if page, ok := at[t.Process.Admin]; ok && t.Process.Admin != "" {
			pages[page] = append(pages[page], t)
			continue
		}
		at[t.Process.Admin] = len(pages)
		pages = append(pages, []*Track{t})
	}
	return pages
}

// readAll reads each process once.
func readAll(ctx context.Context, pages [][]*Track, read Read, atS float64) {
	var reading sync.WaitGroup
	places := make(chan struct{}, readsAtOnce)
	for _, page := range pages {
		places <- struct{}{}
		reading.Go(func() {
			defer func() { <-places }()
			one, cancel := context.WithTimeout(ctx, readPatience)
			defer cancel()
			of := make([]Process, len(page))
			for i, t := range page {
				of[i] = t.Process
			}
			readings, errs := read(one, of)
			if ctx.Err() != nil {
				return // The end, and not the processes' fault.
			}
			for i, t := range page {
				if errs[i] != nil {
					t.Missed++
					t.LastError = errs[i].Error()
					continue
				}
				readings[i].AtS = atS
				t.Readings = append(t.Readings, readings[i])
			}
		})
	}
	reading.Wait()
}

// changed marks what is at the end not what it was at the beginning: processes
// that are new, gone, or have another PID.
func changed(results []ProcessResult, before, after []Process) []ProcessResult {
	for _, now := range after {
		i := slices.IndexFunc(before, func(p Process) bool { return p.Name == now.Name })
		switch {
		case i < 0:
			results = append(results, ProcessResult{
				Name: now.Name, Role: now.Role, Verdict: Restarted, Why: "it was not there when the soak began", Series: []SeriesResult{},
			})
		case before[i].PID != now.PID:
			results[i].Verdict, results[i].Why, results[i].Series = Restarted, "another process has its place", []SeriesResult{}
		}
	}
	for i, was := range before {
		if !slices.ContainsFunc(after, func(p Process) bool { return p.Name == was.Name }) {
			results[i].Verdict, results[i].Why, results[i].Series = Restarted, "it is gone", []SeriesResult{}
		}
	}
	return results
}
