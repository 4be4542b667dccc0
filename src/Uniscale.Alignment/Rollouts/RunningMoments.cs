using System.Globalization;

namespace Uniscale.Alignment.Rollouts;

/// <summary>Mean and deviation of all rewards so far (Welford, 1962), kept in checkpoints.</summary>
public sealed class RunningMoments
{
    private const string Key = "rollouts.rewards";

    private long _count;
    private double _mean,
        _squares;

    /// <summary>Takes in a reward.</summary>
    public void Add(double reward)
    {
        _count++;
        double apart = reward - _mean;
        _mean += apart / _count;
        _squares += apart * (reward - _mean);
    }

    /// <summary>A reward less the mean, over the deviation of a sample plus 1e-8.</summary>
    public double Normalise(double reward) => (reward - _mean) / (Math.Sqrt(_count < 2 ? 0 : _squares / (_count - 1)) + 1e-8);

    internal IEnumerable<KeyValuePair<string, string>> ToExtra() =>
        _count == 0 ? [] : [new(Key, string.Create(CultureInfo.InvariantCulture, $"{_count} {_mean:R} {_squares:R}"))];

    internal void Restore(IReadOnlyDictionary<string, string> extra)
    {
        (_count, _mean, _squares) =
            extra.TryGetValue(Key, out string? text) && text.Split(' ') is [var count, var mean, var squares]
                ? (
                    long.Parse(count, CultureInfo.InvariantCulture),
                    double.Parse(mean, CultureInfo.InvariantCulture),
                    double.Parse(squares, CultureInfo.InvariantCulture)
                )
                : default;
    }
}
