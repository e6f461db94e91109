package collectors

import (
	"bytes"
	"context"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// temperatureReader reads /sys/class/hwmon and, on machines that have nothing
// there (small ARM boards), /sys/class/thermal. Which sensors there are it looks
// up once a minute.
type temperatureReader struct {
	file    kernelFile
	sensors []sensor
	listed  time.Time
}

// sensor is a file and the name of what it measures.
type sensor struct{ path, name, chip, device string }

func (r *temperatureReader) read(ctx context.Context) []temperatureStat {
	if r.listed.IsZero() || time.Since(r.listed) >= time.Minute {
		r.sensors = r.hwmon(sysPath(ctx, "class/hwmon"))
		if len(r.sensors) == 0 {
			r.sensors = r.zones(sysPath(ctx, "class/thermal"))
		}
		r.sensors = named(r.sensors)
		r.listed = time.Now()
	}
	var list []temperatureStat
	for _, s := range r.sensors {
		if ctx.Err() != nil {
			break
		}
		text, err := r.file.readOnce(s.path)
		if err != nil {
			continue // no sensor on this input, or the device sleeps
		}
		if milli, ok := parseTemperature(text); ok {
			list = append(list, temperatureStat{name: s.name, milli: milli})
		}
	}
	return list
}

// parseTemperature reads thousandths of a °C, which may be below 0.
func parseTemperature(text []byte) (int64, bool) {
	text = bytes.TrimSpace(text)
	digits, negative := bytes.CutPrefix(text, []byte("-"))
	n, ok := numberOf(digits)
	if !ok || n > 1<<32 {
		return 0, false
	}
	if negative {
		return -int64(n), true
	}
	return int64(n), true
}

// hwmon lists hwmonN/tempM_input with hwmonN/name and tempM_label.
func (r *temperatureReader) hwmon(root string) []sensor {
	chips, _ := directory(root) // there may be none
	slices.SortFunc(chips, byNumber)
	var list []sensor
	for _, dir := range chips {
		chip := r.line(filepath.Join(root, dir, "name"))
		entries, err := directory(filepath.Join(root, dir))
		if chip == "" || err != nil {
			continue
		}
		device, _ := filepath.EvalSymlinks(filepath.Join(root, dir, "device")) // some chips have none
		slices.SortFunc(entries, byNumber)
		for _, entry := range entries {
			input, ok := strings.CutSuffix(entry, "_input")
			if !ok || !strings.HasPrefix(input, "temp") {
				continue
			}
			s := sensor{path: filepath.Join(root, dir, entry), chip: chip, name: r.line(filepath.Join(root, dir, input+"_label"))}
			if s.name == "" && input != "temp1" {
				s.name = input
			}
			if device != "" {
				s.device = filepath.Base(device)
			}
			list = append(list, s)
		}
	}
	return list
}

// zones lists thermal_zoneN/temp with thermal_zoneN/type.
func (r *temperatureReader) zones(root string) []sensor {
	entries, _ := directory(root) // there may be none
	slices.SortFunc(entries, byNumber)
	var list []sensor
	for _, dir := range entries {
		if !strings.HasPrefix(dir, "thermal_zone") {
			continue
		}
		if kind := r.line(filepath.Join(root, dir, "type")); kind != "" {
			list = append(list, sensor{path: filepath.Join(root, dir, "temp"), chip: kind, device: dir})
		}
	}
	return list
}

// named leaves out single cores beside their whole processor and gives every
// sensor a name of its own: chip and label, and the device where two are alike.
func named(list []sensor) []sensor {
	packages := map[string]bool{}
	for _, s := range list {
		if strings.HasPrefix(s.name, "Package ") {
			packages[s.chip+"\x00"+s.device] = true
		}
	}
	list = slices.DeleteFunc(list, func(s sensor) bool {
		return strings.HasPrefix(s.name, "Core ") && packages[s.chip+"\x00"+s.device]
	})
	count := map[string]int{}
	for i := range list {
		list[i].name = strings.TrimSpace(list[i].chip + " " + list[i].name)
		count[list[i].name]++
	}
	for i := range list {
		if count[list[i].name] > 1 && list[i].device != "" {
			list[i].name += " " + list[i].device
		}
	}
	used := map[string]bool{}
	return slices.DeleteFunc(list, func(s sensor) bool {
		again := used[s.name]
		used[s.name] = true
		return again
	})
}

// line is a file of one line; empty where there is none.
func (r *temperatureReader) line(path string) string {
	text, err := r.file.readOnce(path)
	if err != nil {
		return ""
	}
	return string(bytes.TrimSpace(text))
}

// byNumber orders hwmon2 before hwmon10.
func byNumber(a, b string) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}
