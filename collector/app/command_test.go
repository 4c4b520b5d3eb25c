package app

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestEmbeddedConfiguration(t *testing.T) {
	dir := t.TempDir()
	if got := embeddedURIs(filepath.Join(dir, "none")); got != nil {
		t.Errorf("no folder: %v", got)
	}
	file := filepath.Join(dir, "notes.txt")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{file, filepath.Join(file, "within")} { // not readable as a folder, by root neither
		if got := embeddedURIs(name); !slices.Equal(got, []string{"file:" + name}) {
			t.Errorf("%s: %v", name, got)
		}
	}
	for _, name := range []string{"config.yaml", "config1.yaml"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"file:" + filepath.Join(dir, "config.yaml"), "file:" + filepath.Join(dir, "config1.yaml")}
	if got := embeddedURIs(dir); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
