using System.Globalization;
using Microsoft.AspNetCore.Http;
using Uniscale.Dashboard.Reading;

namespace Uniscale.Dashboard.Curves;

/// <summary>What a curve is drawn over.</summary>
public enum CurveAxis
{
    /// <summary>Over steps.</summary>
    Step,

    /// <summary>Over consumed tokens.</summary>
    Tokens,

    /// <summary>Over hours since the run's first step.</summary>
    Hours,
}

/// <summary>What charts show: it stands in the address, so that a view can be shared.</summary>
/// <param name="Axis">What is drawn over.</param>
/// <param name="Smooth">Steps of the mean; 1: none.</param>
/// <param name="From">Least step; null: the first.</param>
/// <param name="To">Greatest step; null: the last.</param>
public sealed record CurveQuery(CurveAxis Axis = CurveAxis.Step, int Smooth = 1, long? From = null, long? To = null)
{
    private const int MostSmooth = 100_000;

    /// <summary>Buckets of a curve, of which each has at most three points.</summary>
    public const int Buckets = 600;

    /// <summary>Reads an address; what makes no sense counts as not given.</summary>
    public static CurveQuery Of(IQueryCollection query) =>
        new(
            Enum.TryParse(query["x"], ignoreCase: true, out CurveAxis axis) && Enum.IsDefined(axis) ? axis : CurveAxis.Step,
            Math.Clamp((int)(Whole(query["smooth"]) ?? 1), 1, MostSmooth),
            Whole(query["from"]),
            Whole(query["to"])
        );

    /// <summary>As part of an address.</summary>
    public string ToQuery()
    {
        var parts = new List<string>();
        if (Axis != CurveAxis.Step)
            parts.Add($"x={Axis.ToString().ToLowerInvariant()}");
        if (Smooth > 1)
            parts.Add(string.Create(CultureInfo.InvariantCulture, $"smooth={Smooth}"));
        if (From is { } from)
            parts.Add(string.Create(CultureInfo.InvariantCulture, $"from={from}"));
        if (To is { } to)
            parts.Add(string.Create(CultureInfo.InvariantCulture, $"to={to}"));
        return string.Join('&', parts);
    }

    /// <summary>The indices of the steps in view, the end excluded.</summary>
    internal (int From, int To) Range(RunSeries series, int count)
    {
        var steps = series.Steps[..Math.Min(count, series.Count)];
        int from = From is { } first ? LowerBound(steps, first) : 0;
        int to = To is { } last ? LowerBound(steps, last + 1) : steps.Length;
        return (from, Math.Max(from, to));
    }

    /// <summary>The place of a run's step on the axis.</summary>
    internal double Place(RunSeries series, int index) =>
        Axis switch
        {
            CurveAxis.Tokens => series.Tokens[index],
            CurveAxis.Hours => Hours(series, series.Milliseconds[index]),
            _ => series.Steps[index],
        };

    /// <summary>The place of what happened at a step, between steps.</summary>
    internal double Place(RunSeries series, long step, DateTimeOffset time)
    {
        if (Axis == CurveAxis.Step)
            return step;
        if (Axis == CurveAxis.Hours)
            return Hours(series, time.ToUnixTimeMilliseconds());
        int index = series.Steps.BinarySearch(step);
        index = index < 0 ? Math.Min(~index, series.Count - 1) : index;
        return index < 0 ? 0 : series.Tokens[index];
    }

    private static double Hours(RunSeries series, long milliseconds) =>
        series.Count == 0 ? 0 : (milliseconds - series.Milliseconds[0]) / 3_600_000.0;

    private static int LowerBound(ReadOnlySpan<long> steps, long step)
    {
        int low = 0,
            high = steps.Length;
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            if (steps[middle] < step)
                low = middle + 1;
            else
                high = middle;
        }
        return low;
    }

    private static long? Whole(string? text) =>
        long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long number)
            ? Math.Clamp(number, -1, 1L << 53)
            : null;
}
