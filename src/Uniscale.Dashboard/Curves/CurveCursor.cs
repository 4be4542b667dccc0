using Uniscale.Dashboard.Reading;

namespace Uniscale.Dashboard.Curves;

/// <summary>New points of a curve.</summary>
/// <param name="Keep">Points of before that stay; those after them go.</param>
/// <param name="Steps">Steps of the new ones.</param>
/// <param name="X">Their places.</param>
/// <param name="Y">Their values; NaN or infinite: a gap.</param>
public sealed record CurvePart(int Keep, long[] Steps, double[] X, float[] Y);

/// <summary>What a viewer has of a curve, so that only what is new is sent.</summary>
/// <param name="query">The view.</param>
/// <param name="row">The curve's values of a run, one for each step; empty: it has none.</param>
public sealed class CurveCursor(CurveQuery query, CurveCursor.RowOf row)
{
    private readonly List<int> _chosen = [];
    private int _generation = -1,
        _from = -1,
        _size,
        _start,
        _kept,
        _seen = -1;

    /// <summary>The values of a curve.</summary>
    public delegate ReadOnlySpan<float> RowOf(RunSeries series);

    /// <summary>What is new since the last call; null: nothing.</summary>
    public CurvePart? Next(RunSeries series, ReadingState state)
    {
        var values = row(series);
        var (from, to) = query.Range(series, values.Length);
        int size = Thinning.BucketSize(to - from, CurveQuery.Buckets);
        bool isAnew = state.Generation != _generation || size != _size || from != _from || to < _seen;
        if (isAnew)
            (_generation, _size, _from, _start, _kept) = (state.Generation, size, from, from, 0);
        else if (to == _seen)
            return null;
        _seen = to;
        float[] means = Smoothing.Mean(values[..to], _start, query.Smooth);
        _chosen.Clear();
        Thinning.Choose(means, 0, size, _chosen);
        var part = new CurvePart(
            _kept,
            [.. _chosen.Select(index => series.Steps[_start + index])],
            [.. _chosen.Select(index => query.Place(series, _start + index))],
            [.. _chosen.Select(index => means[index])]
        );
        // What lies in buckets that are full does not change any more.
        int full = from + (to - from) / size * size;
        _kept += _chosen.Count(index => _start + index < full);
        _start = full;
        return part;
    }
}
