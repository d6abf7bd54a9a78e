package replay

import (
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"breakbank/bench/manifest"
	"breakbank/bench/result"
)

// writeManifest names every file below dir, in the order of their paths.
func writeManifest(dir string, res *result.Result) error {
	m := manifest.Manifest{RunID: res.RunID, Seed: res.Seed, Environment: res.Environment, Files: []manifest.File{}}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		relative, err := filepath.Rel(dir, path)
		if err != nil || relative == manifest.Name {
			return err
		}
		sum, err := manifest.Sum(dir, relative)
		m.Files = append(m.Files, sum)
		return err
	})
	if err != nil {
		return fmt.Errorf("writing the manifest: %w", err)
	}
	return manifest.WriteFile(filepath.Join(dir, manifest.Name), func(w io.Writer) error { return writeJSON(w, m) })
}
