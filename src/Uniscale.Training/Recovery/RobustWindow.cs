namespace Uniscale.Training.Recovery;

/// <summary>
/// The last values of a series, and how far a new one lies above them: z = (x − median) / (1.4826 · MAD), where MAD is the median absolute
/// deviation (Iglewicz and Hoaglin, 1993). 1.4826 makes it the standard deviation of normal values; a few outliers in the window hardly
/// move it.
/// </summary>
/// <param name="capacity">Values kept.</param>
/// <param name="floor">Smallest deviation that counts, so that a series that stands still does not make a spike of every breath.</param>
internal sealed class RobustWindow(int capacity, Func<double, double> floor)
{
    private const double NormalDeviations = 1.4826;

    private readonly Queue<double> _values = new(capacity);
    private readonly double[] _sorted = new double[capacity];

    /// <summary>The values, oldest first.</summary>
    public IReadOnlyCollection<double> Values => _values;

    /// <summary>Takes a value in, and the oldest out where there are too many.</summary>
    public void Add(double value)
    {
        if (_values.Count == capacity)
            _values.Dequeue();
        _values.Enqueue(value);
    }

    /// <summary>Forgets all values.</summary>
    public void Clear() => _values.Clear();

    /// <summary>Deviations of <paramref name="value"/> above the median; negative below it. There must be values.</summary>
    public double ScoreOf(double value)
    {
        _values.CopyTo(_sorted, 0);
        var sorted = _sorted.AsSpan(0, _values.Count);
        sorted.Sort();
        double median = Median(sorted);
        foreach (ref double deviation in sorted)
            deviation = Math.Abs(deviation - median);
        sorted.Sort();
        return (value - median) / Math.Max(NormalDeviations * Median(sorted), floor(median));
    }

    private static double Median(ReadOnlySpan<double> sorted) => (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
}
