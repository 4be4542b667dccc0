using System.Globalization;
using System.Text;

namespace Uniscale.Telemetry.Curves;

/// <summary>What a curve is drawn with.</summary>
public enum CurveStyle
{
    /// <summary>Unicode braille: two by four dots a character.</summary>
    Braille,

    /// <summary>Asterisks, for terminals without Unicode.</summary>
    Ascii,
}

/// <summary>Draws a series of numbers on a terminal.</summary>
public static class LossCurve
{
    private const int LabelWidth = 8;

    // Bit of each dot of a braille cell: [row][column] (Unicode, U+2800 block).
    private static readonly int[][] Dots =
    [
        [0x01, 0x08],
        [0x02, 0x10],
        [0x04, 0x20],
        [0x40, 0x80],
    ];

    private static readonly char[] Bars = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

    /// <summary>
    /// <paramref name="values"/> over their index as <paramref name="height"/> lines of <paramref name="width"/> characters, with the
    /// highest and
    /// lowest value at the left. Values that are no finite numbers are left out. Empty text where there is nothing to draw.
    /// </summary>
    public static string Render(IReadOnlyList<double> values, int width, int height, CurveStyle style = CurveStyle.Braille)
    {
        double[] finite = values.Where(double.IsFinite).ToArray();
        if (finite.Length == 0 || width <= LabelWidth + 2 || height < 1)
            return "";
        int cells = width - LabelWidth - 2;
        var (across, down) = style == CurveStyle.Braille ? (2, 4) : (1, 1);
        double[] columns = Resample(finite, cells * across);
        var (low, high) = (columns.Min(), columns.Max());
        int[,] grid = Plot(columns, low, high, cells, height, across, down);
        var text = new StringBuilder();
        for (int row = 0; row < height; row++)
        {
            double label =
                row == 0 ? high
                : row == height - 1 ? low
                : double.NaN;
            text.Append(
                double.IsNaN(label) ? new string(' ', LabelWidth) : label.ToString("F4", CultureInfo.InvariantCulture).PadLeft(LabelWidth)
            );
            text.Append(style == CurveStyle.Braille ? " ┤" : " |");
            for (int cell = 0; cell < cells; cell++)
                text.Append(Glyph(grid[row, cell], style));
            text.Length -= TrailingBlanks(text);
            text.Append('\n');
        }
        return text.ToString();
    }

    /// <summary>A line of bars: the last <paramref name="width"/> points of the resampled series.</summary>
    public static string Sparkline(IReadOnlyList<double> values, int width)
    {
        double[] finite = values.Where(double.IsFinite).ToArray();
        if (finite.Length == 0 || width < 1)
            return "";
        double[] columns = Resample(finite, Math.Min(width, finite.Length));
        var (low, high) = (columns.Min(), columns.Max());
        return string.Concat(
            columns.Select(value => Bars[high > low ? (int)Math.Round((value - low) / (high - low) * (Bars.Length - 1)) : 0])
        );
    }

    /// <summary>Means of equal shares of the series; a short series is stretched along straight lines.</summary>
    private static double[] Resample(double[] values, int count)
    {
        double[] result = new double[count];
        for (int i = 0; i < count; i++)
        {
            if (values.Length >= count)
            {
                var (from, to) = ((int)((long)i * values.Length / count), (int)((i + 1L) * values.Length / count));
                result[i] = values.AsSpan(from, to - from).ToArray().Average();
            }
            else
            {
                double position = count == 1 ? 0 : (double)i * (values.Length - 1) / (count - 1);
                int left = Math.Min((int)position, values.Length - 1);
                int right = Math.Min(left + 1, values.Length - 1);
                result[i] = values[left] + ((position - left) * (values[right] - values[left]));
            }
        }
        return result;
    }

    /// <summary>Marks the dots of the curve; neighbours are joined by upright strokes, so that a steep fall stays one line.</summary>
    private static int[,] Plot(double[] columns, double low, double high, int cells, int height, int across, int down)
    {
        int[,] grid = new int[height, cells];
        int previous = -1;
        for (int x = 0; x < columns.Length; x++)
        {
            double share = high > low ? (high - columns[x]) / (high - low) : 0.5;
            int y = (int)Math.Round(share * ((height * down) - 1));
            int from =
                previous < 0 || previous == y ? y
                : previous < y ? previous + 1
                : previous - 1;
            for (int dot = Math.Min(from, y); dot <= Math.Max(from, y); dot++)
                grid[dot / down, x / across] |= Dots[dot % down][x % across];
            previous = y;
        }
        return grid;
    }

    private static char Glyph(int dots, CurveStyle style) =>
        (dots, style) switch
        {
            (0, _) => ' ',
            (_, CurveStyle.Ascii) => '*',
            _ => (char)(0x2800 + dots),
        };

    private static int TrailingBlanks(StringBuilder text)
    {
        int count = 0;
        while (count < text.Length && text[text.Length - 1 - count] == ' ')
            count++;
        return count;
    }
}
