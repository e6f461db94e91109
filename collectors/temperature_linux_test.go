package collectors

import (
	"os"
	"path/filepath"
	"testing"
)

func TestTemperatureFromSys(t *testing.T) {
	m := newMachine(t)
	for path, text := range map[string]string{
		"hwmon0/name": "coretemp\n", "hwmon0/temp1_label": "Package id 0\n", "hwmon0/temp1_input": "47000\n",
		"hwmon0/temp2_label": "Core 0\n", "hwmon0/temp2_input": "46000\n", "hwmon0/temp1_max": "100000\n",
		"hwmon1/name": "nvme\n", "hwmon1/temp1_label": "Composite\n", "hwmon1/temp1_input": "38850\n",
		"hwmon10/name": "nvme\n", "hwmon10/temp1_label": "Composite\n", "hwmon10/temp1_input": "-5250\n",
		"hwmon2/name": "acpitz\n", "hwmon2/temp1_input": "27800\n",
		"hwmon3/name": "nct6775\n", "hwmon3/temp7_input": "127500\n", "hwmon3/temp8_input": "31000\n", "hwmon3/fan1_input": "900\n",
		"hwmon4/name": "k10temp\n", "hwmon4/temp1_label": "Core 0\n", "hwmon4/temp1_input": "51000\n",
		"hwmon5/name": "broken\n", "hwmon5/temp1_input": "no data\n",
		"hwmon6/temp1_input": "1000\n",
	} {
		m.write("sys/class/hwmon/"+path, text)
	}
	for chip, device := range map[string]string{"hwmon1": "nvme0", "hwmon10": "nvme1"} {
		m.write("sys/devices/"+device+"/model", "SSD")
		if err := os.Symlink(filepath.Join(m.root, "sys/devices", device), filepath.Join(m.root, "sys/class/hwmon", chip, "device")); err != nil {
			t.Fatal(err)
		}
	}
	m.write("sys/class/thermal/thermal_zone0/type", "x86_pkg_temp\n")
	m.write("sys/class/thermal/thermal_zone0/temp", "47000\n")
	c := must(t, NewTemperature)
	m.expect(c,
		`temperature{host="web1",sensor="coretemp Package id 0"} [temperature=47]`,
		`temperature{host="web1",sensor="nvme Composite nvme0"} [temperature=38.9]`,
		`temperature{host="web1",sensor="acpitz"} [temperature=27.8]`,
		`temperature{host="web1",sensor="nct6775 temp8"} [temperature=31]`,
		`temperature{host="web1",sensor="k10temp Core 0"} [temperature=51]`,
		`temperature{host="web1",sensor="nvme Composite nvme1"} [temperature=-5.3]`,
	)
	// Sensors are looked up once a minute; one that cannot be read is left out meanwhile.
	m.remove("sys/class/hwmon/hwmon2")
	if got := m.collect(c); len(got) != 5 {
		t.Errorf("without acpitz: %q", got)
	}
}

// Small ARM boards have thermal zones only, virtual machines nothing.
func TestTemperatureZones(t *testing.T) {
	m := newMachine(t)
	m.expect(must(t, NewTemperature))
	for path, text := range map[string]string{
		"thermal_zone0/type": "cpu-thermal\n", "thermal_zone0/temp": "55844\n",
		"thermal_zone1/type": "gpu-thermal\n", "thermal_zone1/temp": "54000\n",
		"thermal_zone2/type": "gpu-thermal\n", "thermal_zone2/temp": "53000\n",
		"cooling_device0/type": "fan\n", "cooling_device0/temp": "1\n",
	} {
		m.write("sys/class/thermal/"+path, text)
	}
	m.expect(must(t, NewTemperature),
		`temperature{host="web1",sensor="cpu-thermal"} [temperature=55.8]`,
		`temperature{host="web1",sensor="gpu-thermal thermal_zone1"} [temperature=54]`,
		`temperature{host="web1",sensor="gpu-thermal thermal_zone2"} [temperature=53]`,
	)
}

func FuzzTemperature(f *testing.F) {
	for _, s := range []string{"47000\n", "-5250", "--1", "", "99999999999", "1e3"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if milli, ok := parseTemperature(text); ok && (milli > 1<<32 || milli < -1<<32) || !ok && milli != 0 {
			t.Errorf("%q: %d, %v", text, milli, ok)
		}
	})
}
