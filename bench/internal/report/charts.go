package report

import (
	"image/color"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
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
	p := newPlot(c.title, c.unit)
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
	p.Y.Min, p.Y.Max = decade(math.Floor(math.Log10(lowest))), highest*1.5
	file := "bench-" + name + ".svg"
	return file, save(p, filepath.Join(folder, file))
}

// drawCurve draws the costs of a curve by its size, and returns the name of the file.
func drawCurve(c *figures.Curve, folder string) (string, error) {
	p := newPlot(strings.ToUpper(c.Name[:1])+c.Name[1:], "cost, logarithmic")
	p.X.Label.Text = c.X
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, decades{}
	names := make(map[string]bool)
	for _, point := range c.Points {
		if point.X < 1 {
			p.X.Label.Text = c.X + " (0 is drawn at 1)"
		}
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
		dots.Color, dots.Shape, dots.Radius = line.Color, plotutil.Shape(i), vg.Points(3)
		p.Add(line, dots)
		p.Legend.Add(name, line, dots) // lines may lie on each other, so their points differ
	}
	p.Legend.Top, p.Legend.Left = true, true
	p.X.Max *= 1.5 // room for the last label
	p.Y.Min, p.Y.Max = decade(math.Floor(math.Log10(p.Y.Min))), decade(math.Ceil(math.Log10(p.Y.Max)))
	p.Y.Max *= math.Pow(p.Y.Max/p.Y.Min, 0.05*float64(len(names))) // room for the legend
	file := "bench-curve-" + strings.ReplaceAll(c.Name, " ", "-") + ".svg"
	return file, save(p, filepath.Join(folder, file))
}

var lineColors = []color.Color{
	color.RGBA{0x2f, 0x6f, 0xb7, 0xff},
	color.RGBA{0xc2, 0x41, 0x0c, 0xff},
	color.RGBA{0x15, 0x80, 0x3d, 0xff},
	color.RGBA{0x7e, 0x22, 0xce, 0xff},
	color.RGBA{0xa1, 0x62, 0x07, 0xff},
	color.RGBA{0x33, 0x41, 0x55, 0xff},
}

// newPlot returns an empty chart with a logarithmic vertical axis.
func newPlot(title, unit string) *plot.Plot {
	plot.DefaultFont = font.Font{Typeface: "Liberation", Variant: "Sans"}
	p := plot.New()
	p.Title.Text, p.Y.Label.Text = title, unit
	p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, decades{}
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Tick.Label.Font.Size = vg.Points(8) // eight systems fit side by side
	}
	return p
}

// decades marks the powers of ten with their numbers, and nine steps between two of them.
type decades struct{}

// Ticks returns the marks between two values, both included.
func (decades) Ticks(lowest, highest float64) []plot.Tick {
	const inexact = 1e-9 // of logarithms
	var ticks []plot.Tick
	for exponent := math.Floor(math.Log10(lowest) + inexact); decade(exponent) <= highest*(1+inexact); exponent++ {
		for step := 1.0; step < 10; step++ {
			tick := plot.Tick{Value: step * decade(exponent)}
			if tick.Value < lowest*(1-inexact) || tick.Value > highest*(1+inexact) {
				continue
			}
			if step == 1 {
				tick.Label = grouped(strconv.FormatFloat(tick.Value, 'f', -1, 64))
			}
			ticks = append(ticks, tick)
		}
	}
	return ticks
}

func decade(exponent float64) float64 { return math.Pow(10, exponent) }

// save writes a chart with a white background, so that it can be read on a dark page.
func save(p *plot.Plot, path string) error {
	p.BackgroundColor = color.White
	return p.Save(18*vg.Centimeter, 9*vg.Centimeter, path)
}
