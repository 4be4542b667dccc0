using ScottPlot;
using Uniscale.Configuration;
using Uniscale.Planning.Memory;
using Uniscale.Planning.Plans;
using Uniscale.Planning.Search;

namespace Uniscale.Planning.Reports;

/// <summary>Pictures of plans as SVG, drawn by ScottPlot.</summary>
public static class PlanPictures
{
    private const int Width = 960,
        Height = 420;

    private const double Gibi = 1L << 30;

    private static readonly ScottPlot.Palettes.Category20 Colours = new();

    /// <summary>Memory of one rank of each stage, its parts as stacked bars, and the chip's memory as a line.</summary>
    /// <param name="memory">A rank of each stage.</param>
    /// <param name="chipBytes">The chip's memory; null: unknown, no line.</param>
    public static string Memory(IReadOnlyList<RankMemory> memory, double? chipBytes)
    {
        var plot = New("Memory of a rank at its peak, by stage", "GiB");
        Stack(
            plot,
            memory.Select(account => $"stage {account.Stage}"),
            memory[0].Parts.Select(part => part.Name),
            (stage, part) => (memory[stage].Parts[part].Bytes ?? 0) / Gibi
        );
        if (chipBytes is { } there)
        {
            var line = plot.Add.HorizontalLine(there / Gibi);
            line.LegendText = "memory of the chip";
            line.Color = ScottPlot.Colors.Black;
        }
        return plot.GetSvgXml(Width, Height);
    }

    /// <summary>Where the step's time goes on one rank of each kind, as stacked bars.</summary>
    public static string Step(PricedStep plan)
    {
        var classes = plan.Times.Classes;
        string[] names =
        [
            "products",
            "attention",
            "memory",
            "tensor",
            "context",
            "overhead",
            "optimizer",
            "reduction",
            "gathering",
            "waiting",
            "rest",
        ];
        var plot = New("Seconds of a step, by kind of rank", "s");
        Stack(
            plot,
            classes.Select(times => $"rank {times.Class.Rank}"),
            names,
            (index, part) =>
            {
                var times = classes[index];
                var passes = times.Passes;
                return part switch
                {
                    0 => passes.Products,
                    1 => passes.Attention,
                    2 => passes.Memory,
                    3 => passes.Tensor,
                    4 => passes.Context,
                    5 => passes.Overhead,
                    6 => times.Updates,
                    7 => times.Reduction,
                    8 => times.Gathering,
                    9 => times.Waiting,
                    _ => times.Rest,
                };
            }
        );
        return plot.GetSvgXml(Width, Height);
    }

    /// <summary>
    /// Time against memory of all layouts that were simulated, and the line of those than which none is both faster and smaller.
    /// </summary>
    public static string Front(SearchResult found)
    {
        var plot = New("Layouts: seconds of a step against memory of the heaviest rank", "s a step");
        plot.XLabel("known memory, GiB");
        var all = plot.Add.ScatterPoints(
            found.Priced.Select(Memory).ToArray(),
            found.Priced.Select(layout => layout.Plan.Seconds).ToArray()
        );
        all.LegendText = "simulated";
        all.Color = ScottPlot.Colors.LightGray;
        var front = plot.Add.Scatter(found.Front.Select(Memory).ToArray(), found.Front.Select(layout => layout.Plan.Seconds).ToArray());
        front.LegendText = "none is both faster and smaller";
        front.Color = Colours.GetColor(0);
        foreach (var end in new[] { found.Front[0], found.Front[^1] }.Distinct())
            plot.Add.Text(LayoutSearch.Describe(end.Plan.Spec), Memory(end), end.Plan.Seconds).Alignment =
                end == found.Front[0] ? Alignment.UpperRight : Alignment.LowerLeft;
        plot.ShowLegend();
        return plot.GetSvgXml(Width, Height);

        static double Memory(PricedLayout layout) => layout.Heaviest.KnownBytes / Gibi;
    }

    /// <summary>Goodput over the mean time between failures.</summary>
    /// <param name="points">Hours and goodput.</param>
    public static string Goodput(IReadOnlyList<(double Hours, double Goodput)> points)
    {
        var plot = New("Goodput over the mean time between failures", "useful share of time, %");
        plot.Add.Scatter(points.Select(point => point.Hours).ToArray(), points.Select(point => point.Goodput * 100).ToArray());
        plot.XLabel("hours between failures");
        return plot.GetSvgXml(Width, Height);
    }

    private static Plot New(string title, string unit)
    {
        PictureFonts.Require();
        var plot = new Plot();
        plot.Title(title);
        plot.YLabel(unit);
        return plot;
    }

    private static void Stack(Plot plot, IEnumerable<string> columns, IEnumerable<string> parts, Func<int, int, double> value)
    {
        string[] names = [.. columns],
            labels = [.. parts];
        var bars = new List<Bar>();
        bool[] used = new bool[labels.Length];
        for (int column = 0; column < names.Length; column++)
        {
            double height = 0;
            for (int part = 0; part < labels.Length; part++)
            {
                double size = value(column, part);
                if (size <= 0)
                    continue;
                bars.Add(
                    new Bar
                    {
                        Position = column,
                        ValueBase = height,
                        Value = height + size,
                        FillColor = Colours.GetColor(part),
                        LineWidth = 0,
                    }
                );
                height += size;
                used[part] = true;
            }
        }
        plot.Add.Bars(bars.ToArray());
        for (int part = 0; part < labels.Length; part++)
            if (used[part])
                plot.Legend.ManualItems.Add(new LegendItem { LabelText = labels[part], FillColor = Colours.GetColor(part) });
        plot.ShowLegend(Edge.Right);
        // More columns than fit keep every n-th name.
        int every = Math.Max(1, names.Length / 12);
        int[] shown = [.. Enumerable.Range(0, names.Length).Where(column => column % every == 0)];
        plot.Axes.Bottom.SetTicks([.. shown.Select(column => (double)column)], [.. shown.Select(column => names[column])]);
        plot.Axes.Margins(bottom: 0);
    }
}
