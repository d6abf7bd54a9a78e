package replay

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"breakbank/bench/result"
)

// ManifestName is the file that names all others.
const ManifestName = "manifest.json"

// Manifest says what a run's directory held when the run ended.
type Manifest struct {
	RunID       string             `json:"run_id"`
	Seed        uint64             `json:"seed"`
	Environment result.Environment `json:"environment"`
	Files       []ManifestFile     `json:"files"`
}

// ManifestFile is one file, its path relative to the directory with slashes.
type ManifestFile struct {
	Path   string `json:"path"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// writeManifest names every file below dir, in the order of their paths.
func writeManifest(dir string, res *result.Result) error {
	m := Manifest{RunID: res.RunID, Seed: res.Seed, Environment: res.Environment, Files: []ManifestFile{}}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		relative, err := filepath.Rel(dir, path)
		if err != nil || relative == ManifestName {
			return err
		}
		sum, size, err := hashFile(path)
		m.Files = append(m.Files, ManifestFile{Path: filepath.ToSlash(relative), Bytes: size, SHA256: sum})
		return err
	})
	if err != nil {
		return fmt.Errorf("writing the manifest: %w", err)
	}
	return writeFile(filepath.Join(dir, ManifestName), func(w io.Writer) error { return writeJSON(w, m) })
}

func hashFile(path string) (sum string, size int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	h := sha256.New()
	size, err = io.Copy(h, f)
	return hex.EncodeToString(h.Sum(nil)), size, err
}
