using System.Globalization;
using System.Text;

namespace Uniscale.Programs.Timing;

/// <summary>Draws a timeline as an SVG image: a row a rank, a box for each pass with its microbatch.</summary>
public static class PipelineSvg
{
    private const int RowHeight = 26,
        Gap = 4,
        Left = 64,
        Top = 34,
        Bottom = 34;

    /// <summary>A box narrower than this many pixels has no number.</summary>
    private const double NarrowestLabel = 9;

    private static readonly (Paint Paint, string Fill, string Word)[] Paints =
    [
        (Paint.Forward, "#4f83cc", "forward"),
        (Paint.Backward, "#63b36b", "backward (or its input gradients)"),
        (Paint.Weights, "#e3b341", "weight gradients"),
        (Paint.Update, "#8b949e", "update"),
    ];

    private enum Paint
    {
        Forward,
        Backward,
        Weights,
        Update,
    }

    /// <summary>The image as text.</summary>
    /// <param name="timeline">Predicted or measured.</param>
    /// <param name="title">A line above the rows.</param>
    /// <param name="width">Pixels, at least 400.</param>
    public static string Render(PipelineTimeline timeline, string title, int width = 960)
    {
        width = Math.Max(400, width);
        int height = Top + timeline.Ranks.Count * (RowHeight + Gap) + Bottom;
        var image = new StringBuilder();
        image.Append(
            CultureInfo.InvariantCulture,
            $"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"11\">\n"
        );
        image.Append(CultureInfo.InvariantCulture, $"<rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n");
        Text(image, 8, 20, title, "start", 13);
        for (int row = 0; row < timeline.Ranks.Count; row++)
            Row(image, timeline, row, width);
        Legend(image, height - 12);
        return image.Append("</svg>\n").ToString();
    }

    private static void Row(StringBuilder image, PipelineTimeline timeline, int row, int width)
    {
        int top = Top + row * (RowHeight + Gap);
        double scale = (width - Left - 8) / Math.Max(timeline.Seconds, double.Epsilon);
        Text(image, Left - 8, top + RowHeight / 2.0 + 4, $"rank {timeline.Ranks[row]}", "end", 11);
        image.Append(
            CultureInfo.InvariantCulture,
            $"<rect x=\"{Left}\" y=\"{top}\" width=\"{width - Left - 8}\" height=\"{RowHeight}\" fill=\"#eef0f2\"/>\n"
        );
        foreach (var (paint, microbatch, start, end) in Passes(timeline, timeline.Ranks[row]))
        {
            double x = Left + start * scale,
                size = (end - start) * scale;
            image.Append(
                CultureInfo.InvariantCulture,
                $"<rect x=\"{x:0.##}\" y=\"{top}\" width=\"{size:0.##}\" height=\"{RowHeight}\" fill=\"{Paints[(int)paint].Fill}\" stroke=\"#ffffff\" stroke-width=\"0.5\"/>\n"
            );
            if (paint != Paint.Update && size >= NarrowestLabel)
                Text(image, x + size / 2, top + RowHeight / 2.0 + 4, microbatch.ToString(CultureInfo.InvariantCulture), "middle", 11);
        }
    }

    /// <summary>Passes of a rank: the blocks of a microbatch that follow one another without a pause are one.</summary>
    private static List<(Paint Paint, int Microbatch, double Start, double End)> Passes(PipelineTimeline timeline, int rank)
    {
        double pause = timeline.Seconds * 1e-6;
        var passes = new List<(Paint Paint, int Microbatch, double Start, double End)>();
        foreach (
            var interval in timeline
                .Intervals.Where(interval => interval.Rank == rank && interval.Lane == Lane.Compute && interval.Duration > 0)
                .OrderBy(interval => interval.Start)
        )
        {
            var (paint, microbatch) = (PaintOf(interval.Instruction.Op), interval.Instruction.Microbatch);
            if (passes is [.., var last] && last.Paint == paint && last.Microbatch == microbatch && interval.Start - last.End <= pause)
                passes[^1] = last with { End = interval.End };
            else
                passes.Add((paint, microbatch, interval.Start, interval.End));
        }
        return passes;
    }

    private static void Legend(StringBuilder image, int baseline)
    {
        double x = Left;
        foreach (var (_, fill, word) in Paints)
        {
            image.Append(
                CultureInfo.InvariantCulture,
                $"<rect x=\"{x:0.##}\" y=\"{baseline - 10}\" width=\"12\" height=\"12\" fill=\"{fill}\"/>\n"
            );
            Text(image, x + 17, baseline, word, "start", 11);
            x += 40 + word.Length * 6.2;
        }
        Text(image, x, baseline, "grey: idle; numbers: microbatches", "start", 11);
    }

    private static void Text(StringBuilder image, double x, double y, string text, string anchor, int size) =>
        image
            .Append(
                CultureInfo.InvariantCulture,
                $"<text x=\"{x:0.##}\" y=\"{y:0.##}\" text-anchor=\"{anchor}\" font-size=\"{size}\" fill=\"#1f2328\">"
            )
            .Append(System.Net.WebUtility.HtmlEncode(text))
            .Append("</text>\n");

    private static Paint PaintOf(Op op) =>
        op switch
        {
            Op.Forward => Paint.Forward,
            Op.Backward or Op.BackwardInput => Paint.Backward,
            Op.BackwardWeight => Paint.Weights,
            _ => Paint.Update,
        };
}
