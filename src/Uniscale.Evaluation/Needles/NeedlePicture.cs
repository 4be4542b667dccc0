using System.Globalization;
using ScottPlot;
using Uniscale.Configuration;
using Uniscale.Configuration.Schema;

namespace Uniscale.Evaluation.Needles;

/// <summary>The heat map of a needle test, drawn by ScottPlot.</summary>
public static class NeedlePicture
{
    private const int CellWidth = 70,
        CellHeight = 34,
        Around = 170;

    /// <summary>Above it letters are dark on light colours.</summary>
    private const double Bright = 60;

    /// <summary>Refuses a name that says no format.</summary>
    /// <exception cref="UserErrorException">The file's name ends neither in .png nor in .svg.</exception>
    public static void CheckName(string path)
    {
        if (Path.GetExtension(path).ToLowerInvariant() is not (".png" or ".svg"))
            throw new UserErrorException($"--plot {path} says no format of a picture: let the name end in .png or .svg.");
        PictureFonts.Require();
    }

    /// <summary>Draws it: lengths to the right, depths downwards, scores from dark (0) to bright (100).</summary>
    /// <param name="report">What is drawn.</param>
    /// <param name="title">What stands above.</param>
    /// <param name="path">File with the ending .png or .svg.</param>
    public static void Write(NeedleReport report, string title, string path)
    {
        CheckName(path);
        double[,] grid = report.Grid;
        var (lengths, depths) = (report.Options.Lengths, report.Options.DepthPercents);
        double[,] rows = new double[depths.Count, lengths.Count];
        using var plot = new Plot();
        for (int row = 0; row < depths.Count; row++)
            for (int column = 0; column < lengths.Count; column++)
            {
                double score = rows[row, column] = grid[column, row];
                // The first row of a heat map is its top one.
                var text = plot.Add.Text(score.ToString("0", CultureInfo.InvariantCulture), column, depths.Count - 1 - row);
                text.Alignment = Alignment.MiddleCenter;
                text.LabelFontColor = score > Bright ? Colors.Black : Colors.White;
            }
        var map = plot.Add.Heatmap(rows);
        map.Colormap = new ScottPlot.Colormaps.Viridis();
        map.ManualRange = new(0, 100);
        plot.MoveToBack(map);
        plot.Add.ColorBar(map);
        plot.Axes.Bottom.TickGenerator = new ScottPlot.TickGenerators.NumericManual(
            [.. Enumerable.Range(0, lengths.Count).Select(i => (double)i)],
            [.. lengths.Select(length => Quantity.FormatTokens(length))]
        );
        plot.Axes.Left.TickGenerator = new ScottPlot.TickGenerators.NumericManual(
            [.. Enumerable.Range(0, depths.Count).Select(i => (double)i)],
            [.. depths.Reverse().Select(depth => string.Create(CultureInfo.InvariantCulture, $"{depth:0}%"))]
        );
        plot.Axes.SetLimits(-0.5, lengths.Count - 0.5, -0.5, depths.Count - 0.5);
        plot.HideGrid();
        plot.XLabel("tokens");
        plot.YLabel("depth of the needle");
        plot.Title(title);
        var (width, height) = (Around + CellWidth * Math.Max(6, lengths.Count), Around + CellHeight * Math.Max(4, depths.Count));
        if (Path.GetExtension(path).Equals(".svg", StringComparison.OrdinalIgnoreCase))
            plot.SaveSvg(path, width, height);
        else
            plot.SavePng(path, width, height);
    }
}
