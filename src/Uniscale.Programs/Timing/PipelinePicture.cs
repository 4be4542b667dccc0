using System.Globalization;
using System.Text;

namespace Uniscale.Programs.Timing;

/// <summary>Draws a timeline with characters, a line a rank: which pass of which microbatch runs when.</summary>
public static class PipelinePicture
{
    /// <summary>What the characters mean.</summary>
    public const string Legend =
        "0-9 forward   a-z backward (or its input gradients)   A-Z weight gradients   ^ update   · idle   (microbatch: last digit, or letter)";

    private static readonly string[] Colours =
    [
        "\u001b[44m\u001b[97m",
        "\u001b[42m\u001b[30m",
        "\u001b[43m\u001b[30m",
        "\u001b[100m\u001b[97m",
    ];

    /// <summary>The picture, without a line break at its end.</summary>
    /// <param name="timeline">Predicted or measured.</param>
    /// <param name="width">Characters of a line, at least 20.</param>
    /// <param name="colour">With ANSI colours.</param>
    public static string Render(PipelineTimeline timeline, int width, bool colour = false)
    {
        int label = Math.Max(4, timeline.Ranks.Count == 0 ? 0 : timeline.Ranks[^1].ToString(CultureInfo.InvariantCulture).Length);
        int columns = Math.Max(20, width) - label - 3;
        var lines = new List<string>();
        foreach (int rank in timeline.Ranks)
            lines.Add($"{rank.ToString(CultureInfo.InvariantCulture).PadLeft(label)} │{RowOf(timeline, rank, columns, colour)}│");
        return string.Join('\n', lines);
    }

    private static string RowOf(PipelineTimeline timeline, int rank, int columns, bool colour)
    {
        var cells = CellsOf(timeline, rank, columns);
        var text = new StringBuilder();
        int painted = -1;
        foreach (var cell in cells)
        {
            int paint = cell is { } at ? PaintOf(at.Op) : -1;
            if (colour && paint != painted)
                text.Append(paint < 0 ? "\u001b[0m" : "\u001b[0m" + Colours[paint]);
            painted = paint;
            text.Append(cell is { } instruction ? CharacterOf(instruction) : '·');
        }
        if (colour && painted >= 0)
            text.Append("\u001b[0m");
        return text.ToString();
    }

    /// <summary>For each column what computes most of its time; nothing where the rank is idle for more than half of it.</summary>
    private static Instruction?[] CellsOf(PipelineTimeline timeline, int rank, int columns)
    {
        double[] busy = new double[columns];
        double[] largest = new double[columns];
        var cells = new Instruction?[columns];
        double column = timeline.Seconds / columns;
        foreach (var interval in timeline.Intervals)
        {
            if (interval.Rank != rank || interval.Lane != Lane.Compute || interval.Duration <= 0)
                continue;
            int last = Math.Min(columns - 1, (int)(interval.End / column));
            for (int c = (int)(interval.Start / column); c <= last; c++)
            {
                double share = Math.Min(interval.End, (c + 1) * column) - Math.Max(interval.Start, c * column);
                busy[c] += share;
                if (share > largest[c])
                    (largest[c], cells[c]) = (share, interval.Instruction);
            }
        }
        for (int c = 0; c < columns; c++)
            if (busy[c] < column * 0.499)
                cells[c] = null;
        return cells;
    }

    private static int PaintOf(Op op) =>
        op switch
        {
            Op.Forward => 0,
            Op.Backward or Op.BackwardInput => 1,
            Op.BackwardWeight => 2,
            _ => 3,
        };

    private static char CharacterOf(Instruction at) =>
        at.Op switch
        {
            Op.Forward => (char)('0' + at.Microbatch % 10),
            Op.Backward or Op.BackwardInput => (char)('a' + at.Microbatch % 26),
            Op.BackwardWeight => (char)('A' + at.Microbatch % 26),
            _ => '^',
        };
}
