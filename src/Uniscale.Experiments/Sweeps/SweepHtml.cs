using System.Globalization;
using System.Net;
using System.Text;

namespace Uniscale.Experiments.Sweeps;

/// <summary>
/// A sweep to look at in a browser: curves of all runs, the metric against each swept key, and the table. One file, nothing loaded.
/// </summary>
/// <param name="table">The result.</param>
/// <param name="curves">Metric of each run by step.</param>
public sealed class SweepHtml(SweepTable table, IReadOnlyList<RunCurve> curves)
{
    private const string Style = """
        body { font: 14px system-ui, sans-serif; margin: 2em; color: #222 } svg { margin: 0 1em 1em 0 } table { border-collapse: collapse }
        td, th { padding: 2px 10px; text-align: left; border-bottom: 1px solid #ddd } text { font: 11px system-ui, sans-serif; fill: #555 }
        path { fill: none } path:hover { stroke: #d00; stroke-width: 3 } .axis { stroke: #999 }
        """;

    private readonly string _metric = SweepTable.MetricName(table.Plan.Sweep.Metric);

    /// <summary>The page.</summary>
    public string ToHtml()
    {
        var html = new StringBuilder();
        html.AppendLine(
            CultureInfo.InvariantCulture,
            $"<!DOCTYPE html><html><head><meta charset=\"utf-8\"><title>{Text(table.Plan.Sweep.Name)}</title><style>{Style}</style></head><body>"
        );
        html.AppendLine(
            CultureInfo.InvariantCulture,
            $"<h1>{Text(table.Plan.Sweep.Name)}</h1><p>{table.Rows.Count} runs by {_metric}; the better, the darker. Point at a line or dot for its run.</p>"
        );
        AddCurves(html);
        foreach (string key in table.Plan.Keys)
            AddScatter(html, key);
        AddTable(html);
        return html.AppendLine("</body></html>").ToString();
    }

    private void AddCurves(StringBuilder html)
    {
        var points = table.Rows.SelectMany(row => Points(row)).ToList();
        if (points.Count == 0)
            return;
        var plot = new Plot(
            html,
            720,
            400,
            Scale.Over([.. points.Select(point => (double)point.Key)], isLog: false),
            Scale.Over([.. points.Select(point => point.Value)], isLog: false)
        );
        plot.Begin("step", _metric);
        // The best last, so that it lies on top.
        foreach (var row in table.Rows.Reverse())
        {
            string[] places = [.. Points(row).Select(point => plot.At(point.Key, point.Value))];
            string dashes = row.Status == RowStatus.Finished ? "" : " stroke-dasharray=\"4 3\"";
            if (places.Length == 0)
                continue;
            AddDot(html, row, places[^1], radius: 3);
            html.AppendLine(
                $"<path d=\"M{string.Join(" L", places)}\" stroke=\"{Colour(row)}\" stroke-width=\"{(row.Place == 1 ? 3 : 1.5).ToString(CultureInfo.InvariantCulture)}\"{dashes}>{Title(row)}</path>"
            );
        }
        html.AppendLine("</svg>");
    }

    private void AddScatter(StringBuilder html, string key)
    {
        var rows = table.Rows.Where(row => double.IsFinite(row.Value)).ToList();
        if (rows.Count == 0)
            return;
        string[] names = [.. rows.Select(row => SweepTable.ValueOf(row, key))];
        double[] numbers =
        [
            .. names.Select(name =>
                double.TryParse(name, NumberStyles.Float, CultureInfo.InvariantCulture, out double number) ? number : double.NaN
            ),
        ];
        string[] classes = [.. names.Distinct().Order(StringComparer.Ordinal)];
        bool isNumeric = numbers.All(double.IsFinite);
        if (!isNumeric)
            numbers = [.. names.Select(name => (double)Array.IndexOf(classes, name))];
        bool isLog = isNumeric && numbers.Min() > 0 && numbers.Max() / numbers.Min() >= 8;
        var plot = new Plot(
            html,
            340,
            260,
            Scale.Over(numbers, isLog, isNumeric ? null : classes),
            Scale.Over([.. rows.Select(row => row.Value)], isLog: false)
        );
        plot.Begin(key + (isLog ? " (logarithmic)" : ""), _metric);
        foreach (var (row, x) in rows.Zip(numbers))
            AddDot(html, row, plot.At(x, row.Value), radius: 5);
        html.AppendLine("</svg>");
    }

    private void AddDot(StringBuilder html, SweepRow row, string place, int radius) =>
        html.AppendLine(
            $"<circle cx=\"{place.Split(',')[0]}\" cy=\"{place.Split(',')[1]}\" r=\"{radius}\" fill=\"{(row.Status == RowStatus.Finished ? Colour(row) : "none")}\" stroke=\"{Colour(row)}\">{Title(row)}</circle>"
        );

    private void AddTable(StringBuilder html)
    {
        html.Append("<table><tr>");
        foreach (string head in (IEnumerable<string>)["place", "run", "status", "step", _metric, .. table.Plan.Keys, ""])
            html.Append($"<th>{Text(head)}</th>");
        html.AppendLine("</tr>");
        foreach (var row in table.Rows)
        {
            html.Append("<tr>");
            foreach (
                string cell in (IEnumerable<string>)
                    [
                        $"{row.Place}",
                        row.Run.Name,
                        SweepTable.StatusName(row),
                        $"{row.Step}",
                        SweepTable.Short(row.Value),
                        .. table.Plan.Keys.Select(key => SweepTable.ValueOf(row, key)),
                        row.Sentence ?? "",
                    ]
            )
                html.Append($"<td>{Text(cell)}</td>");
            html.AppendLine("</tr>");
        }
        html.AppendLine("</table>");
    }

    private IEnumerable<KeyValuePair<long, double>> Points(SweepRow row) =>
        curves[row.Run.Index]
            .Points.Where(point => double.IsFinite(point.Value) && (row.Status != RowStatus.Stopped || point.Key <= row.Step));

    /// <summary>From dark blue for the best to light grey for the worst.</summary>
    private string Colour(SweepRow row)
    {
        double share = table.Rows.Count < 2 ? 0 : ((row.Place ?? table.Rows.Count) - 1.0) / (table.Rows.Count - 1);
        return string.Create(CultureInfo.InvariantCulture, $"hsl(215,{80 - 60 * share:F0}%,{30 + 48 * share:F0}%)");
    }

    private static string Title(SweepRow row) =>
        $"<title>{Text($"{row.Run.Name} ({SweepTable.StatusName(row)} at step {row.Step}): {SweepTable.Short(row.Value)}; {row.Run.Title}")}</title>";

    private static string Text(string text) => WebUtility.HtmlEncode(text);

    /// <summary>Numbers of an axis to shares of its length.</summary>
    private sealed record Scale(double Low, double High, bool IsLog, IReadOnlyList<string>? Classes)
    {
        public static Scale Over(IReadOnlyList<double> values, bool isLog, IReadOnlyList<string>? classes = null)
        {
            var (low, high) = (values.Min(), values.Max());
            if (low == high)
                (low, high) = isLog ? (low / 2, high * 2) : (low - 0.5, high + 0.5);
            return new Scale(low, high, isLog, classes);
        }

        public double Share(double value) => IsLog ? Math.Log(value / Low) / Math.Log(High / Low) : (value - Low) / (High - Low);

        /// <summary>Marks with their places.</summary>
        public IEnumerable<(string Name, double Share)> Marks()
        {
            if (Classes is not null)
                return Classes.Select((name, place) => (name, Share(place)));
            return Round()
                .Where(value => value >= Low && value <= High)
                .Select(value => (value.ToString("G4", CultureInfo.InvariantCulture), Share(value)));
        }

        /// <summary>Numbers with one digit: about five of them, or 1, 2 and 5 times each power of ten.</summary>
        private IEnumerable<double> Round()
        {
            double[] digits = [1, 2, 5, 10];
            if (IsLog)
                return Enumerable
                    .Range((int)Math.Floor(Math.Log10(Low)), (int)Math.Ceiling(Math.Log10(High / Low)) + 2)
                    .SelectMany(power => digits[..3].Select(digit => digit * Math.Pow(10, power)));
            double power = Math.Pow(10, Math.Floor(Math.Log10((High - Low) / 4)));
            double gap = digits.First(digit => digit * power >= (High - Low) / 6) * power;
            return Enumerable.Range(0, 10).Select(mark => (Math.Ceiling(Low / gap) + mark) * gap);
        }
    }

    /// <summary>A drawing with two axes.</summary>
    private sealed class Plot(StringBuilder html, int width, int height, Scale across, Scale up)
    {
        private const int Left = 60,
            Right = 20,
            Top = 10,
            Bottom = 40;

        public string At(double x, double y) => string.Create(CultureInfo.InvariantCulture, $"{X(across.Share(x)):F1},{Y(up.Share(y)):F1}");

        public void Begin(string xName, string yName)
        {
            html.AppendLine($"<svg width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">");
            html.AppendLine(CultureInfo.InvariantCulture, $"<path class=\"axis\" d=\"M{X(0)},{Y(1)} L{X(0)},{Y(0)} L{X(1)},{Y(0)}\"/>");
            foreach (var (name, share) in across.Marks())
                Label(X(share), Y(0) + 14, "middle", name);
            foreach (var (name, share) in up.Marks())
                Label(X(0) - 6, Y(share) + 4, "end", name);
            Label((X(0) + X(1)) / 2, height - 6, "middle", xName);
            html.AppendLine(
                CultureInfo.InvariantCulture,
                $"<text transform=\"translate(12 {(Y(0) + Y(1)) / 2:F0}) rotate(-90)\" text-anchor=\"middle\">{Text(yName)}</text>"
            );
        }

        private double X(double share) => Left + share * (width - Left - Right);

        private double Y(double share) => height - Bottom - share * (height - Top - Bottom);

        private void Label(double x, double y, string anchor, string text) =>
            html.AppendLine(CultureInfo.InvariantCulture, $"<text x=\"{x:F1}\" y=\"{y:F1}\" text-anchor=\"{anchor}\">{Text(text)}</text>");
    }
}
