package report

import (
	"image/color"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/fdbelection/fdbelection/bench/internal/figures"
)

// charts are the scenarios that have a chart: its title, and the bars of a system.
var charts = map[string]struct {
	title, unit string
	points      []string
	of          func(*figures.Result) []float64
}{
	"resign": {"From a resignation to the successor", "ms, logarithmic", []string{"median", "p99"}, timesOf},
	"crash":  {"From the end of the lease of a killed leader to the successor", "ms, logarithmic", []string{"median", "p99"}, timesOf},
	"idle": {"Requests of a follower, one of 10 candidates, at equal lease", "per hour, logarithmic", []string{""}, func(r *figures.Result) []float64 {
		return []float64{r.Values["requests of a follower per hour, of 10"]}
	}},
}

func timesOf(r *figures.Result) []float64 {
	if r.Times == nil {
		return []float64{0, 0}
	}
	return []float64{r.Times.P50, r.Times.P99}
}

var (
	colors = []color.Color{color.RGBA{0x2f, 0x6f, 0xb7, 0xff}, color.RGBA{0xc2, 0x41, 0x0c, 0xff}}
	shapes = []draw.GlyphDrawer{draw.CircleGlyph{}, draw.TriangleGlyph{}}
)

// least is the lowest value of a chart.
const least = 0.01

// chartOf draws the chart of a scenario and returns the name of its file, or "".
func chartOf(f *figures.File, name, folder string) (string, error) {
	c, ok := charts[name]
	results := slices.DeleteFunc(resultsOf(f, name, figures.Equal), func(r *figures.Result) bool {
		return !ok || slices.Max(c.of(r)) <= 0
	})
	if !ok || len(results) == 0 {
		return "", nil
	}
	p := plot.New()
	p.Title.Text, p.Y.Label.Text = c.title, c.unit
	p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
	var labels []string
	lowest, highest := math.Inf(1), 0.0
	for _, r := range results {
		labels = append(labels, strings.Replace(r.System, " ", "\n", 1))
		for _, v := range c.of(r) {
			lowest, highest = min(lowest, max(v, least)), max(highest, v)
		}
	}
	for i, name := range c.points {
		points := make(plotter.XYs, len(results))
		for k, r := range results {
			points[k] = plotter.XY{X: float64(k), Y: max(c.of(r)[i], least)}
		}
		dots, err := plotter.NewScatter(points)
		if err != nil {
			return "", err
		}
		dots.GlyphStyle = draw.GlyphStyle{Color: colors[i], Radius: vg.Points(4), Shape: shapes[i]}
		p.Add(dots)
		if name != "" {
			p.Legend.Add(name, dots)
		}
	}
	p.Add(plotter.NewGrid())
	p.X.Min, p.X.Max = -0.5, float64(len(results))-0.2 // room for the last label
	p.Legend.Top = true
	p.NominalX(labels...)
	p.Y.Min, p.Y.Max = math.Pow(10, math.Floor(math.Log10(lowest))), highest*1.5
	file := "bench-" + name + ".svg"
	return file, save(p, filepath.Join(folder, file))
}

// drawCurve draws the costs of a curve by its size, and returns the name of the file.
func drawCurve(c *figures.Curve, folder string) (string, error) {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = c.Name, c.X, "cost, logarithmic"
	p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
	p.X.Tick.Marker, p.Y.Tick.Marker = plot.LogTicks{Prec: -1}, plot.LogTicks{Prec: -1}
	names := make(map[string]bool)
	for _, point := range c.Points {
		for name := range point.Costs {
			names[name] = true
		}
	}
	for i, name := range slices.Sorted(maps.Keys(names)) {
		var points plotter.XYs
		for _, point := range c.Points {
			if v := point.Costs[name]; v > 0 {
				points = append(points, plotter.XY{X: max(point.X, 1), Y: v})
			}
		}
		line, dots, err := plotter.NewLinePoints(points)
		if err != nil {
			return "", err
		}
		line.Color = lineColors[i%len(lineColors)]
		dots.Color = line.Color
		p.Add(line, dots)
		p.Legend.Add(name, line)
	}
	p.Legend.Top, p.Legend.Left = true, true
	p.Y.Max *= 20 // room for the legend
	file := "bench-curve-" + strings.ReplaceAll(c.Name, " ", "-") + ".svg"
	return file, save(p, filepath.Join(folder, file))
}

var lineColors = []color.Color{
	color.RGBA{0x2f, 0x6f, 0xb7, 0xff}, color.RGBA{0xc2, 0x41, 0x0c, 0xff}, color.RGBA{0x15, 0x80, 0x3d, 0xff}, color.RGBA{0x7e, 0x22, 0xce, 0xff},
}

// save writes a chart with a white background, so that it can be read on a dark page.
func save(p *plot.Plot, path string) error {
	p.BackgroundColor = color.White
	return p.Save(18*vg.Centimeter, 9*vg.Centimeter, path)
}
