package server_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"readout/server/servertest"
)

type topicsAnswer struct {
	Topics []struct {
		Topic    string
		Columns  []struct{ Name, Unit, Kind string }
		Last     []any
		Rate     float64
		Interval int64
		Hidden   bool
	}
	Total int
	Next  string
	Error struct{ Code, Message string }
}

func (a topicsAnswer) names() string {
	var names []string
	for _, one := range a.Topics {
		names = append(names, one.Topic)
	}
	return strings.Join(names, " ")
}

func TestTopicsOfTheAPI(t *testing.T) {
	l := newLocked(t)
	for _, topic := range []string{"shop_a", "shop_b", "shop_c", "disk", "cpu?host=web1", "cpu?host=web2"} {
		if a := l.Do(http.MethodPost, "/t/"+topic, "42", "Authorization", "Bearer "+l.push); a.Status != http.StatusOK {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
	}
	const cpu = `cpu{host="web1"} cpu{host="web2"}`
	for _, c := range []struct {
		name, query, token string
		want               string
		total              int
		code               string
	}{
		{"all", "", l.view, cpu + " disk secret shop_a shop_b shop_c", 7, ""},
		{"all that may be seen", "", l.shop, "shop_a shop_b shop_c", 3, ""},
		{"a selector", "?match=" + url.QueryEscape("cpu{host=*}"), l.view, cpu, 2, ""},
		{"a selector of what may not be seen", "?match=sec*", l.shop, "", 0, ""},
		{"one topic", "?match=disk", l.view, "disk", 1, ""},
		{"no topic", "?match=nothing", l.view, "", 0, ""},
		{"a part", "?limit=2", l.shop, "shop_a shop_b", 3, ""},
		{"bad selector", "?match=" + url.QueryEscape("cpu{"), l.view, "", 0, "bad_topic"},
		{"bad expression", "?match=" + url.QueryEscape(`cpu{a=~"("}`), l.view, "", 0, "bad_topic"},
		{"long selector", "?match=" + strings.Repeat("a", 2049), l.view, "", 0, "bad_request"},
		{"none at once", "?limit=0", l.view, "", 0, "bad_request"},
		{"too many at once", "?limit=501", l.view, "", 0, "bad_request"},
		{"a place of nobody", "?after=shop_a", l.view, "", 0, "bad_request"},
		{"hidden in words", "?hidden=maybe", l.view, "", 0, "bad_request"},
		{"unknown parameter", "?q=cpu", l.view, "", 0, "bad_request"},
		{"no token", "", "", "", 0, "unauthorized"},
		{"a token that may push", "", l.push, "", 0, "forbidden"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var header []string
			if c.token != "" {
				header = []string{"Authorization", "Bearer " + c.token}
			}
			v, a := getJSON[topicsAnswer](t, l.Server, "/api/v1/topics"+c.query, header...)
			if v.names() != c.want || v.Total != c.total || v.Error.Code != c.code || (a.Status == http.StatusOK) != (c.code == "") {
				t.Errorf("%d: %s of %d, %q; want %s of %d, %q", a.Status, v.names(), v.Total, v.Error.Code, c.want, c.total, c.code)
			}
		})
	}
}

// Pages that follow each other hold each topic once, whatever comes meanwhile.
func TestTopicsComeInParts(t *testing.T) {
	s := servertest.New(t, nil)
	for i := range 25 {
		s.Push(fmt.Sprintf("orders?shop=%02d", i), "1")
	}
	seen, next, parts := []string{}, "", 0
	for {
		v, a := getJSON[topicsAnswer](t, s, "/api/v1/topics?limit=10&match=orders*&after="+next)
		if a.Status != http.StatusOK {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		for _, one := range v.Topics {
			seen = append(seen, one.Topic)
		}
		if parts++; v.Next == "" {
			break
		}
		next = v.Next
		s.Push("orders?shop=00a", "1") // before the place
	}
	if parts != 3 || len(seen) != 25 || !slices.IsSorted(seen) || len(slices.Compact(seen)) != 25 {
		t.Errorf("%d parts: %v", parts, seen)
	}
}

func TestWhatTheAPISaysOfATopic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := servertest.New(t, nil)
		body := `{"readings":[{"topic":"door","values":{"open":true}},{"topic":"cpu","values":{"user":0.3}}],
			"describe":{"cpu":{"user":{"unit":"percent","kind":"gauge"},"ticks":{"kind":"counter","unit":""}}}}`
		if a := s.Do(http.MethodPost, readingsPath, body, "Content-Type", "application/json"); a.Status != http.StatusOK {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		for i := range 40 {
			time.Sleep(500 * time.Millisecond)
			s.Push("cpu", fmt.Sprintf("user=%d ticks=7", i))
		}
		v, _ := getJSON[topicsAnswer](t, s, "/api/v1/topics")
		cpu, door := v.Topics[0], v.Topics[1]
		if fmt.Sprint(cpu.Columns) != "[{user percent gauge} {ticks  counter}]" && fmt.Sprint(cpu.Columns) != "[{ticks  counter} {user percent gauge}]" {
			t.Errorf("columns %v", cpu.Columns)
		}
		values := map[string]any{}
		for i, c := range cpu.Columns {
			values[c.Name] = cpu.Last[i+1]
		}
		if int64(cpu.Last[0].(float64)) != time.Now().UnixMilli() || values["user"] != 39.0 || values["ticks"] != 7.0 || cpu.Interval != 500 || cpu.Rate < 1.9 || cpu.Rate > 2.2 {
			t.Errorf("cpu: last %v, interval %d, rate %v", cpu.Last, cpu.Interval, cpu.Rate)
		}
		if door.Last[1] != true || door.Columns[0].Kind != "state" || door.Interval != 0 || door.Hidden {
			t.Errorf("door: %+v", door)
		}
	})
}

func TestSearchOfTheAPI(t *testing.T) {
	l := newLocked(t)
	for i := range 30 {
		if a := l.Do(http.MethodPost, fmt.Sprintf("/t/shop_orders?shop=s%02d", i), "1", "Authorization", "Bearer "+l.push); a.Status != http.StatusOK {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
	}
	type found struct {
		Dashboards []struct{ Slug, Title string }
		Topics     []string
		Total      int
		Error      struct{ Code string }
	}
	for _, c := range []struct {
		name, query, token string
		boards             string
		topics, total      int
		first, code        string
	}{
		{"a word", "?q=ORDERS", l.view, "", 20, 30, `shop_orders{shop="s00"}`, ""},
		{"two words", "?q=orders+s07", l.view, "", 1, 1, `shop_orders{shop="s07"}`, ""},
		{"a selector", "?q=" + url.QueryEscape(`shop_orders{shop=~"s1."}`), l.view, "", 10, 10, `shop_orders{shop="s10"}`, ""},
		{"a dashboard", "?q=machine", l.view, "machine", 0, 0, "", ""},
		{"both", "?q=", l.view, "machine readout", 20, 31, "secret", ""},
		{"no parameter", "", l.view, "machine readout", 20, 31, "secret", ""},
		{"what may not be seen is not counted", "?q=secret", l.shop, "", 0, 0, "", ""},
		{"nothing", "?q=zebra", l.view, "", 0, 0, "", ""},
		{"long", "?q=" + strings.Repeat("a", 201), l.view, "", 0, 0, "", "bad_request"},
		{"no UTF-8", "?q=%ff", l.view, "", 0, 0, "", "bad_request"},
		{"unknown parameter", "?query=a", l.view, "", 0, 0, "", "bad_request"},
		{"a token that may push", "?q=a", l.push, "", 0, 0, "", "forbidden"},
	} {
		t.Run(c.name, func(t *testing.T) {
			v, a := getJSON[found](t, l.Server, "/api/v1/search"+c.query, "Authorization", "Bearer "+c.token)
			var boards []string
			for _, b := range v.Dashboards {
				boards = append(boards, b.Slug)
			}
			slices.Sort(boards)
			first := ""
			if len(v.Topics) > 0 {
				first = v.Topics[0]
			}
			if strings.Join(boards, " ") != c.boards || len(v.Topics) != c.topics || v.Total != c.total || first != c.first || v.Error.Code != c.code {
				t.Errorf("%d %s", a.Status, a.Body)
			}
		})
	}
}

// What a token may not view is on no page: not named, not matched, not counted.
func TestPagesKeepWhatATokenMayNotView(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLocked(t)
		if a := l.Do(http.MethodPost, "/t/shop_a", "1", "Authorization", "Bearer "+l.push); a.Status != http.StatusOK {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		for _, path := range []string{"/", "/topics", "/topics?match=s*", "/topics?hidden=1", "/d?match=*", "/d?match=s*&match=shop_a", "/d/machine", "/api/v1/topics?hidden=1", "/api/v1/search?q=s&hidden=1"} {
			a := l.Do(http.MethodGet, path, "", "Authorization", "Bearer "+l.shop)
			if a.Status != http.StatusOK || strings.Contains(a.Body, "secret") || strings.Contains(a.Body, "12345") {
				t.Errorf("%s: %d, names what is secret: %t", path, a.Status, strings.Contains(a.Body, "secret"))
			}
			if all := l.Do(http.MethodGet, path, "", "Authorization", "Bearer "+l.view); path != "/d/machine" && !strings.Contains(all.Body, "secret") {
				t.Errorf("%s does not name it for those who may view it, so this proves nothing", path)
			}
		}
	})
}
