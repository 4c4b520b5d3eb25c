package keydoc

import (
	"slices"
	"strings"
	"testing"
	"time"
)

type inner struct {
	// Size bounds it | in bytes,
	// on two lines.
	Size int `mapstructure:"size"`
}

type sample struct {
	Deep *inner `mapstructure:"deep"`
	// Wait is how long.
	Wait time.Duration `mapstructure:"wait"`
	// On switches it on.
	On     bool `mapstructure:"on"`
	hidden int
}

type silent struct {
	Size int `mapstructure:"size"`
}

func TestTable(t *testing.T) {
	got, err := Table(&sample{Deep: &inner{Size: 5}, Wait: time.Minute, hidden: 1})
	want := "| key | default | |\n|---|---|---|\n| `deep::size` | `5` | bounds it \\| in bytes, on two lines. |\n| `wait` | `1m0s` | how long. |\n| `on` | `false` | switches it on. |\n"
	if err != nil || got != want {
		t.Errorf("%v\n%s", err, got)
	}
	if _, err := Table(&silent{}); err == nil || !strings.Contains(err.Error(), "silent.Size has no doc comment") {
		t.Errorf("%v", err)
	}
}

func TestKeys(t *testing.T) {
	if got := Keys(&sample{}); !slices.Equal(got, []string{"deep::size", "wait", "on"}) {
		t.Errorf("%q", got)
	}
	if got, err := Table(&struct{}{}); err != nil || got != "It has no keys.\n" {
		t.Errorf("%q %v", got, err)
	}
}
